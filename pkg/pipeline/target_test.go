package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// labelForms are labels that look like parts of other names: prefixes of each other,
// joined by hyphens, and the words that have a meaning in the store and in statuses.
var labelForms = []string{"a", "a-a", "a-b", "a--b", "aa", "0", "1-0", "staging", "staging-network", "network", "network-staging", "production",
	"plans", "ledger", "queue", "applied", "kept", "keys", "requests", "pulls", "replaced", "terraform", "terraform-tfstate", "apply", "plan", "infra", "by-commit"}

// labeledTargets are all targets of these names, with the unnamed stack among the stacks.
func labeledTargets() []pipeline.Target {
	var all []pipeline.Target
	for _, c := range labelForms {
		for _, env := range labelForms {
			for _, stack := range append([]string{""}, labelForms...) {
				all = append(all, pipeline.Target{Customer: pipeline.CustomerName(c), Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)})
			}
		}
	}
	return all
}

// TestTargetsShareNothing: no two targets get one key, state, role, status, deployment or
// name, and no key of one lies below the folder of another.
func TestTargetsShareNothing(t *testing.T) {
	t.Parallel()
	role := pipeline.Role("arn:aws:iam::1:role/{{ customer }}/{{ environment }}/s_{{ stack }}")
	backend := pipeline.State{Backend: pipeline.Backend{Type: "gcs", Config: map[string]string{"bucket": "b", "prefix": "{{ customer }}/{{ environment }}/{{ stack }}/state"}}}
	bucket := pipeline.State{Bucket: pipeline.Bucket{Name: "b", Prefix: "p"}}
	of := map[string]func(pipeline.Target) string{
		"folder":  func(t pipeline.Target) string { return t.Folder() },
		"name":    func(t pipeline.Target) string { return t.String() },
		"flags":   func(t pipeline.Target) string { return t.Flags() },
		"state":   func(t pipeline.Target) string { return bucket.Target(t, "").String() },
		"backend": func(t pipeline.Target) string { return backend.Target(t, "").String() },
		"local":   func(t pipeline.Target) string { return pipeline.State{}.Target(t, "/states").Path() },
		"role":    func(t pipeline.Target) string { return role.Of(t, pipeline.WorkApply) },
		"ledger":  func(t pipeline.Target) string { return record.LedgerPrefix(t) },
		"issue": func(t pipeline.Target) string {
			return pipeline.Marker(pipeline.Slug{Owner: "acme", Name: "manager"}, t.Customer, "drift:"+t.Name())
		},
		"queue": func(t pipeline.Target) string { return record.QueuePrefix(t) },
		"plans": func(t pipeline.Target) string { return record.PlansPrefix(t, "x") },
		"status": func(t pipeline.Target) string {
			return pipeline.Request{Customer: t.Customer, SharedRepository: true}.StatusContext(t)
		},
		"own status": func(t pipeline.Target) string {
			return string(t.Customer) + " " + pipeline.Request{Customer: t.Customer}.StatusContext(t)
		},
		"own deployment": func(t pipeline.Target) string {
			return string(t.Customer) + " " + pipeline.Request{Customer: t.Customer}.DeploymentEnvironment(t)
		},
		"deployment": func(t pipeline.Target) string {
			return pipeline.Request{Customer: t.Customer, SharedRepository: true}.DeploymentEnvironment(t)
		},
	}
	for kind, text := range of {
		seen := map[string]pipeline.Target{}
		for _, target := range labeledTargets() {
			got := text(target)
			if other, taken := seen[got]; taken {
				t.Fatalf("%s and %s have one %s: %s", other, target, kind, got)
			}
			seen[got] = target
		}
	}
}

// TestFoldersAreApart: with the slash that every key has behind it, no folder begins with
// another one. It compares neighbors in byte order, where a prefix stands before what it
// begins.
func TestFoldersAreApart(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	for _, target := range labeledTargets() {
		folders[target.Folder()+"/"] = true
	}
	for folder := range folders {
		for i := range strings.TrimSuffix(folder, "/") {
			if folders[folder[:i+1]] {
				t.Fatalf("%s lies below %s", folder, folder[:i+1])
			}
		}
	}
}

// TestParts: what Part writes is read back as the same target, and nothing else is read.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, target := range labeledTargets() {
		if got, err := target.Customer.ParsePart(target.Part()); err != nil || got != target {
			t.Fatalf("%s is read back as %s, %v", target, got, err)
		}
	}
	for _, part := range []string{"", ".", "a.", ".a", "a.b.c", "a..b", "a/b", "a.b/c", "../a", "A.b", "a.B", "a.-b", "a-.b", "a b", "a.b\n", "a.é", "_a", "a._b", "a.{{ stack }}",
		"a." + strings.Repeat("b", 41)} {
		if got, err := pipeline.CustomerName("acme").ParsePart(part); err == nil {
			t.Errorf("%q is read as %s", part, got)
		}
	}
}

// TestUnnamedStack: without a name, everything is called as it is without stacks.
func TestUnnamedStack(t *testing.T) {
	t.Parallel()
	target := pipeline.CustomerName("acme").In("staging")
	own, shared := pipeline.Request{Customer: "acme"}, pipeline.Request{Customer: "acme", SharedRepository: true}
	got := fmt.Sprint(target, target.Part(), target.Folder(), target.Name(), target.Flags(), pipeline.StateKey(target), own.StatusContext(target), shared.StatusContext(target),
		own.DeploymentEnvironment(target), shared.DeploymentEnvironment(target), target.Gate(pipeline.WorkApply))
	want := fmt.Sprint(target, "staging", "acme/staging", "staging", "--customer acme --environment staging", "acme/staging/terraform.tfstate", "infra/terraform-deploy/staging",
		"infra/terraform-deploy/acme/staging", "infra/staging", "infra/acme/staging", "staging-apply")
	if got != want || target.String() != "acme/staging" {
		t.Errorf("got %s, want %s", got, want)
	}
	target.Stack = "network"
	got = fmt.Sprint(target.Part(), target.Folder(), target.Name(), target.Flags(), pipeline.StateKey(target), own.StatusContext(target), own.DeploymentEnvironment(target), target.Gate(pipeline.WorkPlan))
	want = fmt.Sprint("staging.network", "acme/staging.network", "staging/network", "--customer acme --environment staging --stack network", "acme/staging.network/terraform.tfstate",
		"infra/terraform-deploy/staging/network", "infra/staging/network", "staging-plan")
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRequestOfAnotherStack: a request says nothing about a target that it does not name.
func TestRequestOfAnotherStack(t *testing.T) {
	t.Parallel()
	mine := pipeline.Target{Customer: "acme", Environment: "staging", Stack: "network"}
	request := pipeline.Request{Customer: "acme", Mode: pipeline.ModeApply, Targets: []pipeline.RequestTarget{{Target: mine, OwnerVerified: true}}}
	if !request.WorksOn(mine) || !request.Applies(mine) || !request.Find(mine).OwnerVerified {
		t.Errorf("its own target is unknown to %+v", request)
	}
	for _, other := range []pipeline.Target{{}, {Customer: "acme", Environment: "staging"}, {Customer: "acme", Environment: "staging", Stack: "hosts"},
		{Customer: "acme", Environment: "production", Stack: "network"}, {Customer: "crm", Environment: "staging", Stack: "network"}} {
		if request.WorksOn(other) || request.Applies(other) || request.Find(other).OwnerVerified {
			t.Errorf("it works on %v", other)
		}
	}
}
