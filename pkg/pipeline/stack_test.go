package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stacked is a customer of a manager with the stacks network, hosts and portal.
func stacked(environments []pipeline.Environment, stacks ...pipeline.StackName) pipeline.Customer {
	tofu := pipeline.ToolRule{Name: "tofu"}
	return pipeline.Customer{Name: "acme", Root: "terraform", Environments: environments, Stacks: stacks, Manager: pipeline.Manager{
		Environments: []pipeline.EnvironmentRule{{Name: "staging"}, {Name: "production"}}, Tool: pipeline.ToolRule{Name: "terraform", Constraint: "~> 1.11"},
		Stacks: []pipeline.StackRule{{Name: "network", Root: "network", Tool: tofu}, {Name: "hosts", Root: "hosts", Tool: tofu}, {Name: "portal", Root: "portal", Tool: tofu}}}}
}

// TestTargetsOfCustomer: environments outside, stacks inside, both in the order of
// metapipe.yml and narrowed by the customer's file; one unnamed stack where none has a name.
func TestTargetsOfCustomer(t *testing.T) {
	t.Parallel()
	unnamed := stacked(nil)
	unnamed.Manager.Stacks = nil
	for name, c := range map[string]struct {
		customer pipeline.Customer
		want     string
	}{
		"all":     {stacked(nil), "[acme/staging/network acme/staging/hosts acme/staging/portal acme/production/network acme/production/hosts acme/production/portal]"},
		"some":    {stacked([]pipeline.Environment{"production"}, "portal", "network"), "[acme/production/network acme/production/portal]"},
		"unknown": {stacked(nil, "gone"), "[]"},
		"unnamed": {unnamed, "[acme/staging acme/production]"},
	} {
		targets := c.customer.Targets()
		if got := fmt.Sprint(targets); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		for _, target := range targets {
			if !c.customer.Has(target) || !c.customer.Manager.Declares(target) {
				t.Errorf("%s: %s is not one of its targets", name, target)
			}
		}
		for _, other := range []pipeline.Target{{}, {Customer: "acme"}, {Customer: "acme", Environment: "dev"}, {Customer: "acme", Environment: "staging", Stack: "gone"}, {Customer: "other", Environment: "staging", Stack: "network"}} {
			if c.customer.Has(other) {
				t.Errorf("%s: %s is one of its targets", name, other)
			}
		}
	}
	if got := unnamed.StacksIn("dev"); got != nil {
		t.Errorf("an unknown environment has %v", got)
	}
	if in := (pipeline.Target{Customer: "acme", Environment: "staging"}); stacked(nil).Has(in) || !unnamed.Has(in) {
		t.Error("the unnamed stack is there beside named ones, or is missing without them")
	}
}

// TestInOrder: as Targets has them, and what metapipe.yml does not declare at the end.
func TestInOrder(t *testing.T) {
	t.Parallel()
	target := func(env pipeline.Environment, stack pipeline.StackName) pipeline.Target {
		return pipeline.Target{Customer: "acme", Environment: env, Stack: stack}
	}
	got := fmt.Sprint(stacked(nil).InOrder([]pipeline.Target{target("old", "network"), target("production", "network"), target("staging", ""), target("staging", "hosts"), target("old", ""), target("staging", "network")}))
	if want := "[acme/staging/network acme/staging/hosts acme/staging acme/production/network acme/old/network acme/old]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestModule: each stack has a root and a tool of its own, and jobs use them. Of a stack that
// metapipe.yml does not declare nothing is guessed.
func TestModule(t *testing.T) {
	t.Parallel()
	for stack, want := range map[pipeline.StackName]string{"network": "network tofu", "portal": "portal tofu", "": "terraform terraform", "gone": " "} {
		job := pipeline.Job{Customer: stacked(nil), Environment: "staging", Stack: stack}
		if got := job.Root() + " " + job.Tool().Name; got != want {
			t.Errorf("%q: %s, want %s", stack, got, want)
		}
		var usage *pipeline.UsageError
		if err := job.CheckStack(); (err != nil) != (stack == "gone") || err != nil && (!errors.As(err, &usage) || !strings.Contains(usage.Message, `no stack "gone"`)) {
			t.Errorf("%q: %v", stack, err)
		}
	}
}
