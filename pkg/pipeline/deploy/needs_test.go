package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// needsRun is a request for two stacks of staging, of which hosts needs network.
type needsRun struct {
	w       *pipelinetest.Setup
	request pipeline.Request
	planned []pipeline.NeededOutputs // what the last plan received
	applied []pipeline.NeededOutputs // what the last apply received
	asked   int
}

func output(name, value string) pipeline.OutputValue {
	o := pipeline.OutputValue{Name: name}
	if value != "" {
		o.Value = json.RawMessage(value)
	}
	return o
}

func newNeedsRun(t *testing.T, event string) *needsRun {
	t.Helper()
	w := pipelinetest.New(t)
	w.NameStacks("network", "hosts")
	w.Current.Manager.Stacks[1].Needs = []pipeline.StackName{"network"}
	w.Engine.Passed = []pipeline.OutputValue{output("id", `"n1"`)}
	r := &needsRun{w: w}
	w.Engine.SeePlan = func(job pipeline.Job) { r.planned = job.Needed }
	w.Engine.SeeApply = func(job pipeline.Job) { r.applied = job.Needed }
	r.ask(event)
	return r
}

// ask sends a request for a commit that changes something.
func (r *needsRun) ask(event string) {
	r.asked++
	r.request = pipelinetest.Must[pipeline.Request](r.w.T)(r.w.Send(r.w.Dispatch(r.w.Hub.Commit(fmt.Sprintf("staging number-%d\n", r.asked)), event)))
}

func (r *needsRun) in(stack pipeline.StackName) pipeline.TargetInput {
	r.w.Tick()
	return pipelinetest.Stack(r.w.Target(r.request, "staging"), stack)
}

func (r *needsRun) plan(stack pipeline.StackName) (deploy.TargetResult, error) {
	return r.w.Planner().Run(r.w.T.Context(), r.in(stack))
}

func (r *needsRun) mustPlan(stack pipeline.StackName) deploy.TargetResult {
	r.w.T.Helper()
	return pipelinetest.Must[deploy.TargetResult](r.w.T)(r.plan(stack))
}

func (r *needsRun) mustApply(stack pipeline.StackName) {
	r.w.T.Helper()
	if result, err := r.w.Apply(r.in(stack)); err != nil || result.Outcome != pipeline.OutcomeApplied {
		r.w.T.Fatalf("%s: %+v (%v)", stack, result, err)
	}
}

func (r *needsRun) target(stack pipeline.StackName) pipeline.Target {
	return pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack}
}

func (r *needsRun) status(stack pipeline.StackName) record.Result {
	r.w.T.Helper()
	return pipelinetest.Must[ledger.TargetStatus](r.w.T)(ledger.ReadTargetStatus(r.w.T.Context(), pipelinetest.RecordsOf(r.w.Store, r.w.Sealer), r.request, r.target(stack))).Result
}

// unchanged lets plans find nothing to change.
func (r *needsRun) unchanged() {
	r.w.Engine.ChangePlanned = func(p *pipeline.Planned) { p.Plan.Changes, p.Plan.Counts = nil, pipeline.Counts{} }
}

func wantNeeded(t *testing.T, got []pipeline.NeededOutputs, value string) {
	t.Helper()
	if len(got) != 1 || got[0].Stack != "network" || got[0].Unknown != "" || len(got[0].Values) != 1 || string(got[0].Values[0].Value) != value {
		t.Errorf("got %+v, want %s", got, value)
	}
}

func wantRefused(t *testing.T, err error, reason pipeline.Reason, text string) {
	t.Helper()
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != reason || !strings.Contains(refused.Message, text) || refused.Next == "" {
		t.Errorf("got %v, want %s: %s", err, reason, text)
	}
}

// TestNeededOutputsOfAMerge: network is applied first, and hosts is planned and applied with
// what that has left.
func TestNeededOutputsOfAMerge(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	_, err := r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonEnvironmentOrder, "staging/hosts needs the outputs of staging/network")
	r.mustPlan("network")
	r.mustApply("network")
	r.mustPlan("hosts")
	wantNeeded(t, r.planned, `"n1"`)
	r.mustApply("hosts")
	wantNeeded(t, r.applied, `"n1"`)
	if evidence := r.status("network").Outputs; len(evidence) == 0 {
		t.Error("the outputs are not shown any more")
	}
	if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 1 {
		t.Errorf("%d records of outputs", n)
	}
	if n := len(r.w.Keys("acme/staging.hosts/outputs/")); n != 0 {
		t.Errorf("%d records of outputs that no one needs", n)
	}
}

// TestNeededOutputsWithoutChanges: a plan of network without changes records what is there,
// also where no apply ever did.
func TestNeededOutputsWithoutChanges(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.unchanged()
	r.mustPlan("network")
	r.w.Engine.ChangePlanned = nil
	r.mustPlan("hosts")
	wantNeeded(t, r.planned, `"n1"`)
	r.mustApply("hosts")
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n2"`)}
	r.ask("push")
	r.unchanged()
	r.mustPlan("network")
	r.mustPlan("hosts")
	wantNeeded(t, r.planned, `"n2"`)
	if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 1 {
		t.Errorf("%d records of outputs", n)
	}
}

// TestOutputsChangedSinceThePlan: hosts is not applied with a plan that was made from other
// outputs.
func TestOutputsChangedSinceThePlan(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *needsRun, s record.Records) error{
		"another value": func(r *needsRun, s record.Records) error {
			return record.NoteOutputs(context.Background(), s, r.target("network"), record.LeftOutputs{RepositoryID: 7, Request: r.request.ID, At: r.w.Tick(), Values: []pipeline.OutputValue{output("id", `"n2"`)}})
		},
		"sensitive now": func(r *needsRun, s record.Records) error {
			return record.NoteOutputs(context.Background(), s, r.target("network"), record.LeftOutputs{RepositoryID: 7, Request: r.request.ID, At: r.w.Tick(), Values: []pipeline.OutputValue{{Name: "id", Value: json.RawMessage(`"n1"`), Sensitive: true}}})
		},
		"one more": func(r *needsRun, s record.Records) error {
			return record.NoteOutputs(context.Background(), s, r.target("network"), record.LeftOutputs{RepositoryID: 7, Request: r.request.ID, At: r.w.Tick(), Values: []pipeline.OutputValue{output("id", `"n1"`), output("x", "1")}})
		},
		"gone": func(r *needsRun, s record.Records) error {
			return record.ForgetOutputs(context.Background(), s.Store, r.target("network"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newNeedsRun(t, "push")
			r.mustPlan("network")
			r.mustApply("network")
			r.mustPlan("hosts")
			applies := r.w.Engine.Applies
			if err := change(r, pipelinetest.RecordsOf(r.w.Store, r.w.Sealer)); err != nil {
				t.Fatal(err)
			}
			_, err := r.w.Apply(r.in("hosts"))
			text := "the outputs of network have changed since the plan of acme/staging/hosts was made"
			if name == "gone" {
				text = "are not on record"
			}
			wantRefused(t, err, pipeline.ReasonStaleState, text)
			if r.w.Engine.Applies != applies {
				t.Error("it was applied all the same")
			}
		})
	}
}

// TestSameOutputsAgain: a newer record that says the same lets the plan be applied.
func TestSameOutputsAgain(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	r.mustPlan("hosts")
	left := record.LeftOutputs{RepositoryID: 7, Request: r.request.ID, At: r.w.Tick(), Values: r.w.Engine.Passed}
	if err := record.NoteOutputs(t.Context(), pipelinetest.RecordsOf(r.w.Store, r.w.Sealer), r.target("network"), left); err != nil {
		t.Fatal(err)
	}
	r.mustApply("hosts")
}

// TestDeferredPlan: in a pull request hosts waits for outputs that only the merge makes
// known. That is no failure, and stops nothing.
func TestDeferredPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(r *needsRun)
		want    pipeline.Outcome
	}{
		"network is not planned": {func(*needsRun) {}, pipeline.OutcomeDeferred},
		"an output changes": {func(r *needsRun) {
			r.w.Engine.Passed = []pipeline.OutputValue{output("id", "")}
			r.mustPlan("network")
		}, pipeline.OutcomeDeferred},
		"the plan of network fails": {func(r *needsRun) {
			r.w.Engine.PlanErr = &pipeline.FailedError{Message: "broken"}
			if _, err := r.plan("network"); err == nil {
				r.w.T.Fatal("it did not fail")
			}
			r.w.Engine.PlanErr = nil
		}, pipeline.OutcomeDeferred},
		"all outputs stay": {func(r *needsRun) { r.mustPlan("network") }, pipeline.OutcomePlanned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newNeedsRun(t, "pull_request")
			c.prepare(r)
			result := r.mustPlan("hosts")
			ended := r.status("hosts")
			if result.Outcome != c.want || ended.Outcome != c.want {
				t.Fatalf("outcome %s and %s", result.Outcome, ended.Outcome)
			}
			if c.want == pipeline.OutcomePlanned {
				wantNeeded(t, r.planned, `"n1"`)
				return
			}
			if ended.Receipt != nil || len(ended.Diagnostics) != 1 || !strings.Contains(ended.Message, "depends on an output of network that is not known yet") || ended.Next == "" {
				t.Errorf("%+v", ended)
			}
			r.w.WantEvents(r.target("hosts"), "requested dev, planned")
			report := r.w.Report(r.request, true)
			if report.Targets[1].Outcome != pipeline.OutcomeDeferred || report.Targets[1].Outcome.Status() != pipeline.StatusSuccess {
				t.Errorf("%+v", report.Targets[1])
			}
			if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 0 {
				t.Errorf("a pull request wrote %d records of what is there", n)
			}
		})
	}
}

// TestDeferredStopsNothing: what comes after a deferred target is reported as it ended.
func TestDeferredStopsNothing(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "pull_request")
	r.w.NameStacks("network", "hosts", "apps")
	r.w.Current.Manager.Stacks[1].Needs = []pipeline.StackName{"network"}
	r.ask("pull_request")
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", "")}
	r.mustPlan("network")
	r.mustPlan("hosts")
	report := r.w.Report(r.request, true)
	if got := report.Targets[2]; got.Outcome == pipeline.OutcomeSkipped || strings.Contains(got.Message, "did not succeed") {
		t.Errorf("%s: %s", got.Outcome, got.Message)
	}
}

// TestOutputsAfterAFailedApply: what an apply has left counts, also when it failed; where it
// is not known, nothing is on record.
func TestOutputsAfterAFailedApply(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	for _, values := range [][]pipeline.OutputValue{{output("id", `"n3"`)}, nil} {
		r.ask("push")
		r.w.Engine.ApplyErr = nil
		r.mustPlan("network")
		r.w.Engine.ApplyErr, r.w.Engine.Passed = &pipeline.FailedError{Message: "no capacity"}, values
		if values == nil {
			r.w.Engine.OutputsErr = errors.New("the state cannot be read")
		}
		if _, err := r.w.Apply(r.in("network")); err == nil {
			t.Fatal("it did not fail")
		}
		left, found, err := record.LoadOutputs(t.Context(), pipelinetest.RecordsOf(r.w.Store, r.w.Sealer), r.target("network"))
		if err != nil || found != (values != nil) || found && string(left.Values[0].Value) != `"n3"` {
			t.Errorf("%+v, %v (%v)", left, found, err)
		}
		r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n1"`)}
	}
}

// TestExchangedOutputs: outputs of another target, an older record and a forged one are not
// believed.
func TestExchangedOutputs(t *testing.T) {
	t.Parallel()
	other := func(to pipeline.Target) func(r *needsRun, s record.Records, key string) {
		return func(r *needsRun, s record.Records, key string) {
			left := record.LeftOutputs{RepositoryID: 7, Request: r.request.ID, At: r.w.Now, Values: []pipeline.OutputValue{output("id", `"evil"`)}}
			if err := record.NoteOutputs(context.Background(), s, to, left); err != nil {
				r.w.T.Fatal(err)
			}
			b := r.w.Read(r.w.Keys(record.OutputsPrefix(to))[0])
			r.w.Delete(key)
			r.w.Write(key, b)
		}
	}
	for name, c := range map[string]struct {
		exchange func(r *needsRun, s record.Records, key string)
		reason   pipeline.Reason
	}{
		"another customer":    {other(pipeline.Target{Customer: "crm", Environment: "staging", Stack: "network"}), pipeline.ReasonTampered},
		"another environment": {other(pipeline.Target{Customer: "acme", Environment: "production", Stack: "network"}), pipeline.ReasonTampered},
		"another stack":       {other(pipeline.Target{Customer: "acme", Environment: "staging", Stack: "apps"}), pipeline.ReasonTampered},
		"made up": {func(r *needsRun, _ record.Records, key string) {
			r.w.Delete(key)
			r.w.Write(key, []byte(`{"outputs":[{"name":"id","value":"evil"}]}`))
		}, pipeline.ReasonTampered},
		"under a newer name": {func(r *needsRun, _ record.Records, key string) {
			r.w.Write(strings.Replace(key, "/outputs/2026", "/outputs/2027", 1), r.w.Read(key))
		}, pipeline.ReasonTampered},
		"a bit": {func(r *needsRun, _ record.Records, key string) {
			b := r.w.Read(key)
			b[len(b)-1] ^= 1
			r.w.Delete(key)
			r.w.Write(key, b)
		}, pipeline.ReasonTampered},
		"of another repository": {func(r *needsRun, s record.Records, _ string) {
			left := record.LeftOutputs{RepositoryID: 8, Request: r.request.ID, At: r.w.Tick(), Values: []pipeline.OutputValue{output("id", `"evil"`)}}
			if err := record.NoteOutputs(context.Background(), s, r.target("network"), left); err != nil {
				r.w.T.Fatal(err)
			}
		}, pipeline.ReasonOtherRepository},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newNeedsRun(t, "push")
			r.mustPlan("network")
			r.mustApply("network")
			c.exchange(r, pipelinetest.RecordsOf(r.w.Store, r.w.Sealer), r.w.Keys("acme/staging.network/outputs/")[0])
			r.planned = nil
			_, err := r.plan("hosts")
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != c.reason || r.planned != nil {
				t.Errorf("%v, and the engine received %v", err, r.planned)
			}
		})
	}
}

// TestOlderOutputsPutBack: who puts an older record back decides nothing.
func TestOlderOutputsPutBack(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	key := r.w.Keys("acme/staging.network/outputs/")[0]
	older := r.w.Read(key)
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n2"`)}
	r.ask("push")
	r.mustPlan("network")
	r.mustApply("network")
	r.w.Delete(r.w.Keys("acme/staging.network/outputs/")[0])
	r.w.Write(key, older)
	_, err := r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonStaleState, "are not on record")
}

// TestExchangedPlannedOutputs: the outputs that a pull request shows belong to their plan.
func TestExchangedPlannedOutputs(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "pull_request")
	r.mustPlan("network")
	first := r.w.Keys("acme/staging.network/plans/" + string(r.request.ID) + "/0001/" + record.ObjectOutputs)[0]
	older := r.w.Read(first)
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n2"`)}
	r.mustPlan("network")
	second := strings.Replace(first, "/0001/", "/0002/", 1)
	r.w.Delete(second)
	_, err := r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonTampered, "the outputs that the plan of acme/staging/network shows")
	r.w.Write(second, older)
	_, err = r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonTampered, "the outputs that the plan of acme/staging/network shows")
}

// outputsFault is a store that takes no outputs. It takes the mark of an apply.
type outputsFault struct {
	pipeline.Store
	creates, deletes bool
}

func (s outputsFault) Create(ctx context.Context, key string, body io.Reader) error {
	if s.creates && strings.Contains(key, "outputs") && strings.HasSuffix(key, ".sealed") {
		_, _ = io.Copy(io.Discard, body)
		return pipelinetest.ErrFault
	}
	return s.Store.Create(ctx, key, body)
}

func (s outputsFault) Delete(ctx context.Context, key string) error {
	if s.deletes && strings.Contains(key, "outputs") {
		return pipelinetest.ErrFault
	}
	return s.Store.Delete(ctx, key)
}

// TestOutputsThatCannotBeWritten: what was applied stays applied and says what is missing;
// hosts is not built from older outputs, and the next plan of network repairs it.
func TestOutputsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	good := r.w.Store
	r.mustPlan("network")
	r.w.Store = outputsFault{Store: good, creates: true}
	r.mustApply("network")
	r.w.Store = good
	if message := r.status("network").Message; !strings.Contains(message, "the outputs could not be kept for the stacks that need them") {
		t.Errorf("message %q", message)
	}
	_, err := r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonStaleState, "are not on record")
	r.ask("push")
	r.unchanged()
	r.w.Store = outputsFault{Store: good, creates: true}
	if _, err := r.plan("network"); !errors.Is(err, pipelinetest.ErrFault) {
		t.Errorf("a plan that cannot keep its outputs: %v", err)
	}
	r.w.Store = good
	r.mustPlan("network")
	r.w.Engine.ChangePlanned = nil
	r.mustPlan("hosts")
	wantNeeded(t, r.planned, `"n1"`)
}

// TestOlderOutputsThatCannotBeRemoved: the newest ones count all the same.
func TestOlderOutputsThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	r.ask("push")
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n2"`)}
	r.mustPlan("network")
	good := r.w.Store
	r.w.Store = outputsFault{Store: good, deletes: true}
	r.mustApply("network")
	r.w.Store = good
	if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 3 { // the mark of the apply between them
		t.Errorf("%d records of outputs", n)
	}
	r.mustPlan("hosts")
	wantNeeded(t, r.planned, `"n2"`)
}

// TestPlannedOutputsThatCannotBeWritten: a plan that hosts could not read fails at once.
func TestPlannedOutputsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "pull_request")
	good := r.w.Store
	r.w.Store = outputsFault{Store: good, creates: true}
	if _, err := r.plan("network"); !errors.Is(err, pipelinetest.ErrFault) {
		t.Errorf("got %v", err)
	}
	r.w.Store = good
	if result := r.mustPlan("hosts"); result.Outcome != pipeline.OutcomeDeferred {
		t.Errorf("%+v", result)
	}
}

// TestNoNeedsCostNothing: without `needs` no outputs are asked for, kept or looked for, and
// no receipt names them.
func TestNoNeedsCostNothing(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.w.Current.Manager.Stacks[1].Needs = nil
	r.w.Engine.SeePlan = func(job pipeline.Job) {
		if job.Needed != nil {
			t.Errorf("%+v", job)
		}
	}
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		r.mustPlan(stack)
		if receipt := r.status(stack).Receipt; receipt == nil || strings.Contains(string(receipt.Bytes()), "needed_outputs") {
			t.Errorf("%+v", receipt)
		}
		r.mustApply(stack)
		if keys := r.w.Keys("acme/staging." + string(stack) + "/outputs/"); len(keys) != 0 {
			t.Errorf("%v", keys)
		}
	}
	if r.w.Engine.Asked != 0 {
		t.Errorf("outputs were asked for %d times", r.w.Engine.Asked)
	}
}
