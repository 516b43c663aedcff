package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// changed are the variables of an update.
var changed = strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1)

// fails applies, and returns the failure.
func (b bench) fails(t *testing.T) (pipeline.Applied, *pipeline.FailedError) {
	t.Helper()
	applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, b.plan(t)))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !applied.Started {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	return applied, failed
}

// TestRollbacks: a rollback is a failed apply. The resources that failed are named with their reasons.
func TestRollbacks(t *testing.T) {
	t.Parallel()
	t.Run("of an update", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		before := b.apply(t).State
		state := b.State(t)
		b = b.again(t)
		b.with(t, "", changed)
		b.cloud.Fail("Second", "the topic is not available")
		applied, failed := b.fails(t)
		if b.State(t) != state || !strings.Contains(failed.Message, "UPDATE_ROLLBACK_COMPLETE") || !strings.Contains(failed.Message, "the topic is not available") || !strings.Contains(failed.Message, "as it was before") {
			t.Errorf("failed: %v; it is %s", failed, b.State(t))
		}
		want := []pipeline.AppliedResource{{Address: "First", Action: pipeline.ActionUpdate}, {Address: "Second", Action: pipeline.ActionUpdate, Failed: true}}
		if !slices.Equal(applied.Done, want) || applied.State == nil || applied.State.Lineage != before.Lineage || applied.State.Serial <= before.Serial {
			t.Errorf("done %+v, left %+v after %+v", applied.Done, applied.State, before)
		}
		if d := applied.Diagnostics; len(d) != 1 || d[0].Address != "Second" || d[0].Where.File != "stack/template.yml" || d[0].Where.Line == 0 {
			t.Errorf("the reasons are %+v", d)
		}
		b.cloud.Mend("Second")
		b.again(t).apply(t)
	})
	t.Run("of a creation", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.cloud.Fail("Second", "no")
		_, failed := b.fails(t)
		if !strings.Contains(failed.Message, "can only be deleted") || !strings.Contains(failed.Operator, "delete-stack --stack-name "+b.name) {
			t.Errorf("failed: %v", failed)
		}
		next := b.again(t)
		planned, err := next.Engine.Plan(t.Context(), next.Job)
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "ROLLBACK_COMPLETE") || !strings.Contains(failed.Operator, "delete-stack") || planned.Found().Lineage != "" && planned.Artifacts != nil {
			t.Errorf("the next plan: %v", err)
		}
		b.cloud.Mend("Second")
		destroy := b.again(t)
		destroy.Job.Destroy = true
		destroy.apply(t)
		b.again(t).apply(t)
	})
	t.Run("that fails, too", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.apply(t)
		b = b.again(t)
		b.with(t, "", changed)
		b.cloud.Fail("Second", "no")
		b.cloud.FailRollback("First")
		_, failed := b.fails(t)
		if !strings.Contains(failed.Message, "the rollback failed, too") || !strings.Contains(failed.Operator, "continue-update-rollback") {
			t.Errorf("failed: %v", failed)
		}
		next := b.again(t)
		if _, err := next.Engine.Plan(t.Context(), next.Job); !errors.As(err, &failed) || !strings.Contains(failed.Operator, "continue-update-rollback") {
			t.Errorf("the next plan: %v", err)
		}
	})
}

// TestBusy: a stack that something works on is neither idle nor broken.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.with(t, "", changed)
	plan := storedOf(t, b.plan(t))
	for _, status := range []string{"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS"} {
		b.cloud.SetStatus(b.name, status)
		var failed *pipeline.FailedError
		if applied, err := b.Engine.Apply(t.Context(), b.Job, plan); !errors.As(err, &failed) || !strings.Contains(failed.Message, "busy") || applied.Started || failed.Permanent {
			t.Errorf("%s: applied %+v: %v", status, applied, err)
		}
		next := b.again(t)
		if _, err := next.Engine.Plan(t.Context(), next.Job); !errors.As(err, &failed) || !strings.Contains(failed.Message, status) {
			t.Errorf("%s: planned: %v", status, err)
		}
	}
	b.cloud.SetStatus(b.name, "CREATE_COMPLETE")
	if _, err := b.Engine.Apply(t.Context(), b.Job, plan); err != nil {
		t.Errorf("the same plan afterwards: %v", err)
	}
}

// TestStale: a stack that someone else has updated is not overwritten.
func TestStale(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(b bench){
		"updated":  func(b bench) { b.cloud.Update(b.name) },
		"obsolete": func(b bench) { b.cloud.Obsolete(b.name) },
		"another plan was executed": func(b bench) {
			other := b.again(t)
			other.with(t, demoTemplate+"  Third: {Type: AWS::SNS::Topic}\n", "")
			other.apply(t)
			b.with(t, demoTemplate, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
			b.apply(t)
			b = b.again(t)
			b.with(t, "", changed)
			plan := storedOf(t, b.plan(t))
			disturb(b)
			applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState || applied.Started {
				t.Errorf("applied %+v: %v", applied, err)
			}
		})
	}
}

// TestLeavesNothing: a plan that no one applies leaves neither its change set nor the stack that was made for it, whatever
// becomes of it.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	readOnly := func(b bench) error {
		_, err := b.Engine.(*Engine).PlanReadOnly(t.Context(), b.Job)
		return err
	}
	t.Run("read-only, first", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		if err := readOnly(b); err != nil || len(b.cloud.Stacks()) > 0 {
			t.Errorf("it leaves %+v: %v", b.cloud.Stacks(), err)
		}
	})
	t.Run("read-only, beside a plan that waits", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		waits := storedOf(t, b.plan(t))
		if err := readOnly(b.again(t)); err != nil || len(b.cloud.Stacks()) != 1 || b.cloud.Stacks()[0].ChangeSets != 1 {
			t.Errorf("it leaves %+v: %v", b.cloud.Stacks(), err)
		}
		if _, err := b.Engine.Apply(t.Context(), b.Job, waits); err != nil {
			t.Errorf("the plan that waits: %v", err)
		}
	})
	t.Run("without changes", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.apply(t)
		b = b.again(t)
		if planned := b.plan(t); planned.Plan.HasChanges() || b.cloud.Stacks()[0].ChangeSets != 0 {
			t.Errorf("planned %+v, it leaves %+v", planned.Plan, b.cloud.Stacks())
		}
	})
	t.Run("refused by AWS", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, "Resources: {X: {Type: AWS::IAM::Role}}\n", terraformtest.DefaultVariables)
		var failed *pipeline.FailedError
		if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(failed.Operator, "cloudformation.capabilities") || len(b.cloud.Stacks()) > 0 {
			t.Errorf("it leaves %+v: %v", b.cloud.Stacks(), err)
		}
	})
	t.Run("with a lost answer", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.cloud.Drop("CreateChangeSet", 100)
		if _, err := b.Engine.Plan(t.Context(), b.Job); err == nil || len(b.cloud.Stacks()) > 0 {
			t.Errorf("it leaves %+v: %v", b.cloud.Stacks(), err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.cloud.Delay("CREATE_PENDING")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for len(b.cloud.Stacks()) == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if _, err := b.Engine.Plan(ctx, b.Job); !errors.Is(err, context.Canceled) || len(b.cloud.Stacks()) > 0 {
			t.Errorf("it leaves %+v: %v", b.cloud.Stacks(), err)
		}
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.plan(t)
		b.cloud.Age(b.name, 2*time.Hour)
		b.again(t).plan(t)
		if s := b.cloud.Stacks(); len(s) != 1 || s[0].ChangeSets != 1 {
			t.Errorf("it leaves %+v", s)
		}
	})
}

// TestLostAnswers: an operation whose answer was lost is followed all the same, and is begun once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100} {
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		plan := storedOf(t, b.plan(t))
		b.cloud.Drop("ExecuteChangeSet", n)
		applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
		if err != nil || len(applied.Done) != 2 || applied.State == nil {
			t.Errorf("%d lost answers: applied %+v: %v", n, applied, err)
		}
	}
}

// TestCredentials: what is wrong with them is said in words that help, and changes nothing.
func TestCredentials(t *testing.T) {
	t.Parallel()
	const without = "AWS_ACCESS_KEY_ID="
	for name, test := range map[string]struct {
		environ []string
		say     string
	}{
		"none":          {[]string{without, "AWS_SECRET_ACCESS_KEY="}, "there are no AWS credentials"},
		"half":          {[]string{"AWS_SECRET_ACCESS_KEY="}, "without the other"},
		"unknown":       {[]string{"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7UNKNOWN"}, "does not accept the credentials"},
		"expired":       {[]string{"AWS_ACCESS_KEY_ID=" + cfntest.ExpiredKey}, "have expired"},
		"no region":     {[]string{"AWS_REGION="}, "the region of the stack"},
		"no such place": {[]string{"AWS_ENDPOINT_URL_CLOUDFORMATION=http://127.0.0.1:1"}, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demoTemplate, terraformtest.DefaultVariables, func(o *Options) { o.Environ = append(o.Environ, test.environ...) })
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var failed *pipeline.FailedError
			var usage *pipeline.UsageError
			if !errors.As(err, &failed) && !errors.As(err, &usage) || !strings.Contains(err.Error(), test.say) {
				t.Errorf("planned: %v", err)
			}
			if strings.Contains(fmt.Sprint(err, b.log()), cfntest.SecretKey) {
				t.Errorf("it shows the key: %v", err)
			}
		})
	}
}

// TestDenied: an action that the role may not take names the page with the permissions.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"DescribeStacks", "CreateChangeSet", "DescribeChangeSet"} {
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.cloud.Deny(action)
		_, err := b.Engine.Plan(t.Context(), b.Job)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "cloudformation:"+action) || !strings.Contains(failed.Operator, "docs/CLOUDFORMATION.md") {
			t.Errorf("%s: %v", action, err)
		}
	}
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	plan := storedOf(t, b.plan(t))
	b.cloud.Deny("ExecuteChangeSet")
	if applied, err := b.Engine.Apply(t.Context(), b.Job, plan); err == nil || applied.Started {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestThrottling: AWS is asked again.
func TestThrottling(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	b.cloud.Throttle(3)
	plan := storedOf(t, b.plan(t))
	b.cloud.Throttle(3)
	if _, err := b.Engine.Apply(t.Context(), b.Job, plan); err != nil {
		t.Error(err)
	}
	b.cloud.Throttle(1000)
	var failed *pipeline.FailedError
	if _, err := b.again(t).Engine.Plan(t.Context(), b.again(t).Job); !errors.As(err, &failed) || !strings.Contains(failed.Operator, "limits the requests") {
		t.Errorf("planned: %v", err)
	}
}

// TestValues: what is wrong with a value leads to its line.
func TestValues(t *testing.T) {
	t.Parallel()
	const template = `Parameters:
  Size: {Type: Number, Default: 1}
  Color: {Type: String, AllowedValues: [red, blue], Default: red}
  Code: {Type: String, AllowedPattern: "[a-z]+", Default: a}
  Zones: {Type: CommaDelimitedList, Default: a}
  Ports: {Type: "List<Number>", Default: "1"}
  NeededKey: {Type: String}
Resources:
  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "${Size} ${Color} ${Code} ${NeededKey}"}}
`
	for name, test := range map[string]struct {
		variables, say string
		line           int
	}{
		"no number":          {"needed_key: x\nsize: large\n", "no number", 2},
		"not allowed":        {"color: green\nneeded_key: x\n", "red, blue", 1},
		"another pattern":    {"needed_key: x\nenvironments:\n  staging:\n    code: \"1\"\n", "must match pattern", 4},
		"a list":             {"needed_key: x\nsize: [1]\n", "list", 2},
		"an object":          {"needed_key: {a: 1}\n", "object", 1},
		"a comma in an item": {"needed_key: x\nzones: [\"a,b\"]\n", "comma", 2},
		"no list of numbers": {"needed_key: x\nports: [1, b]\n", "no number", 2},
		"set twice":          {"needed_key: x\nNeededKey: y\n", "both set", 1},
		"too long":           {"needed_key: " + strings.Repeat("x", 5000) + "\n", "4096", 1},
		"missing":            {"environments:\n  staging: {}\n", "has no value", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, template, test.variables)
			planned, err := b.Engine.Plan(t.Context(), b.Job)
			var failed *pipeline.FailedError
			if !errors.As(err, &failed) || !strings.Contains(failed.Message, test.say) || failed.Next == "" || len(planned.Plan.Diagnostics) == 0 {
				t.Fatalf("planned: %v", err)
			}
			if d := planned.Plan.Diagnostics[0]; d.Source.Line != test.line || d.Remedy == "" {
				t.Errorf("it names line %d (%+v)", d.Source.Line, d)
			}
		})
	}
}

// TestTemplates: a template that cannot be used is said so before AWS is asked.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ template, say string }{
		"no YAML":      {"a: [", "cannot be read"},
		"a list":       {"- a\n", "no mapping"},
		"no resources": {"Parameters: {}\n", "no Resources"},
		"too large":    {demoTemplate + "# " + strings.Repeat("x", maxInline), "51200"},
		"huge":         {demoTemplate + "# " + strings.Repeat("x", maxTemplate), "1048576"},
		"a bad name":   {"Parameters: {a_b: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}\n", "letters and digits"},
		"no type":      {"Parameters: {A: {}}\nResources: {T: {Type: AWS::SNS::Topic}}\n", "no Type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.template, "name: x\nregion: y\n")
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var usage *pipeline.UsageError
			if !errors.As(err, &usage) || !strings.Contains(usage.Message, test.say) || usage.Next == "" {
				t.Errorf("planned: %v", err)
			}
			if slices.Contains(b.cloud.Calls(), "CreateChangeSet") {
				t.Error("AWS was asked")
			}
			problems, _ := b.Engine.(*Engine).CheckRoot(b.Job.ManagerDir, "stack", toolName)
			if problems.Err() == nil {
				t.Error("CheckRoot finds nothing")
			}
		})
	}
}
