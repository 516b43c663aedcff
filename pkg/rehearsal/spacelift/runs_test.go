package spacelift_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

// until steps until the newest run of a stack is in a state.
func (f *fixture) until(stack, state string) {
	f.t.Helper()
	for range 12 {
		runs := f.stack(stack).Runs
		if runs[len(runs)-1].State == state {
			return
		}
		f.server.Step()
	}
	f.t.Fatalf("stack %s: %+v never is %s", stack, f.stack(stack).Runs, state)
}

const triggerQuery = `mutation($stack: ID!, $sha: String, $type: RunType, $config: RuntimeConfigInput){ runTrigger(stack: $stack, commitSha: $sha, runType: $type, runtimeConfig: $config){ id state } }`

// trigger starts a run and returns its id.
func (f *fixture) trigger(stack, kind, sha string) string {
	f.t.Helper()
	id, _ := at(f.do(triggerQuery, vars{"stack": stack, "sha": sha, "type": kind}), "runTrigger", "id").(string)
	return id
}

// states are those that a run has been in.
func states(r spacelift.Run) []string {
	var list []string
	for _, h := range r.History {
		list = append(list, h.State)
	}
	return list
}

// TestTrackedRun: with changes it stops for a person, without it finishes; with autodeploy
// it stops for no one.
func TestTrackedRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	equal(t, "push", f.server.Push("acme/manager", "main", sha1), []string{"a"})
	equal(t, "another branch", len(f.server.Push("acme/manager", "dev", sha2)), 0)
	equal(t, "another repository", len(f.server.Push("other/manager", "main", sha2)), 0)
	id := f.stack("a").Runs[0].ID
	act := func(field string) string {
		return `mutation($run: ID!){ ` + field + `(stack: "a", run: $run){ state } }`
	}
	f.refused("run is in state QUEUED", act("runConfirm"), vars{"run": id})
	f.until("a", "UNCONFIRMED")
	for range 3 {
		f.server.Step()
	}
	equal(t, "waits", f.do(`{ stack(id: "a"){ state blocker { id } runResourceState(id: "`+id+`"){ state finished } run(id: "`+id+`"){ canConfirm needsApproval delta { changeCount addCount } commit { hash } } } }`, nil), vars{"stack": vars{
		"state": "UNCONFIRMED", "blocker": vars{"id": id}, "runResourceState": vars{"state": "UNCONFIRMED", "finished": false},
		"run": vars{"canConfirm": true, "needsApproval": false, "delta": vars{"changeCount": 1, "addCount": 0}, "commit": vars{"hash": sha1}},
	}})
	f.refused("run is in state UNCONFIRMED", act("runCancel"), vars{"run": id})
	f.refused("run is in state UNCONFIRMED", act("runStop"), vars{"run": id})
	f.refused("run not found", act("runConfirm"), vars{"run": "none"})
	equal(t, "confirmed", f.do(act("runConfirm"), vars{"run": id}), vars{"runConfirm": vars{"state": "CONFIRMED"}})
	f.refused("run is in state CONFIRMED", act("runStop"), vars{"run": id})
	f.refused("run is in state CONFIRMED", act("runDiscard"), vars{"run": id})
	f.until("a", "FINISHED")
	equal(t, "states", states(f.stack("a").Runs[0]), []string{"QUEUED", "READY", "PREPARING", "INITIALIZING", "PLANNING", "UNCONFIRMED", "CONFIRMED", "PREPARING_APPLY", "APPLYING", "FINISHED"})
	f.trigger("a", "TRACKED", sha1)
	f.until("a", "FINISHED")
	equal(t, "without changes", states(f.stack("a").Runs[1]), []string{"QUEUED", "READY", "PREPARING", "INITIALIZING", "PLANNING", "FINISHED"})
	good(t, f.server.SetAutodeploy("a", true))
	f.trigger("a", "TRACKED", sha2)
	f.until("a", "FINISHED")
	equal(t, "with autodeploy", states(f.stack("a").Runs[2]), []string{"QUEUED", "READY", "PREPARING", "INITIALIZING", "PLANNING", "PREPARING_APPLY", "APPLYING", "FINISHED"})
	equal(t, "newest first", at(f.do(`{ stack(id: "a"){ runs { isMostRecent history { stateVersion terminal } } } }`, nil), "stack", "runs", 0, "history", 0), vars{"stateVersion": 8, "terminal": true})
}

// TestApproval: an approval policy holds a run until it is approved, and is not asked where
// the stack deploys by itself. A plan policy that warns stops that, too.
func TestApproval(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	f.do(`mutation{ policyAttach(id: "require-approval", stack: "a"){ id } }`, nil)
	id := f.trigger("a", "TRACKED", sha1)
	confirm := `mutation($run: ID!){ runConfirm(stack: "a", run: $run){ state } }`
	review := `mutation($run: ID!, $d: RunReviewDecision!){ runReview(stack: "a", run: $run, decision: $d, note: "N"){ state decision } }`
	f.refused("does not need a review", review, vars{"run": id, "d": "APPROVE"})
	f.until("a", "UNCONFIRMED")
	f.refused("needs to be approved", confirm, vars{"run": id})
	equal(t, "asks", at(f.do(`{ stack(id: "a"){ blocker { needsApproval canConfirm } } }`, nil), "stack", "blocker"), vars{"needsApproval": true, "canConfirm": false})
	good(t, f.server.Approve("a", id, "jo"))
	f.do(confirm, vars{"run": id})
	f.until("a", "FINISHED")
	second := f.trigger("a", "TRACKED", sha2)
	f.until("a", "UNCONFIRMED")
	f.do(review, vars{"run": second, "d": "REJECT"})
	equal(t, "rejected", f.stack("a").Runs[1].State, "DISCARDED")
	good(t, f.server.SetAutodeploy("a", true))
	f.trigger("a", "TRACKED", sha2)
	f.until("a", "FINISHED")
	equal(t, "the policy is not asked", len(f.stack("a").Runs[2].Reviews), 0)
	f.server.AddPolicy("warn", "Warn", "PLAN", "root", "autoattach:*")
	f.trigger("a", "TRACKED", sha1)
	f.until("a", "UNCONFIRMED")
	equal(t, "a warning asks", f.stack("a").Runs[3].NeedsApproval, true)
	f.trigger("a", "PROPOSED", sha1)
	f.until("a", "PENDING_REVIEW")
	good(t, f.server.Reject("a", f.stack("a").Runs[4].ID, "jo", "no"))
	equal(t, "proposed", f.stack("a").Runs[4].State, "FAILED")
	unconfirmed := f.stack("a").Runs[3].ID
	good(t, f.server.Approve("a", unconfirmed, "jo"))
	good(t, f.server.Expire("a", unconfirmed))
	f.refused("run has expired", confirm, vars{"run": unconfirmed})
	equal(t, "expired", at(f.do(`{ stack(id: "a"){ blocker { expired canConfirm } } }`, nil), "stack", "blocker"), vars{"expired": true, "canConfirm": false})
	f.create("b", nil)
	f.do(`mutation{ policyAttach(id: "require-approval", stack: "b"){ id } }`, nil)
	f.server.ApproveQueued = true
	queued := f.trigger("b", "TRACKED", sha1)
	for range 3 {
		f.server.Step()
	}
	equal(t, "held", []any{f.stack("b").Runs[0].State, f.stack("b").Runs[0].NeedsApproval}, []any{"QUEUED", true})
	good(t, f.server.Approve("b", queued, "jo"))
	f.until("b", "UNCONFIRMED")
}

// TestBlocking: one run at a time may apply; those that only plan pass it.
func TestBlocking(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	first, second := f.trigger("a", "TRACKED", sha1), f.trigger("a", "TRACKED", sha2)
	proposed := f.trigger("a", "PROPOSED", sha2)
	for range 6 {
		f.server.Step()
	}
	state := func(id string) string {
		for _, r := range f.stack("a").Runs {
			if r.ID == id {
				return r.State
			}
		}
		return ""
	}
	equal(t, "states", []string{state(first), state(second), state(proposed)}, []string{"UNCONFIRMED", "QUEUED", "FINISHED"})
	good(t, f.server.Discard("a", first, "jo"))
	f.server.Step()
	equal(t, "the next one", state(second), "READY")
	f.do(`mutation($run: ID!){ runCancel(stack: "a", run: $run){ id } }`, vars{"run": second})
	equal(t, "canceled", state(second), "CANCELED")
	third := f.trigger("a", "TRACKED", sha2)
	for range 3 {
		f.server.Step()
	}
	f.do(`mutation($run: ID!){ runStop(stack: "a", run: $run, note: "N"){ id } }`, vars{"run": third})
	equal(t, "stopped", state(third), "STOPPED")
	list := f.do(`{ stack(id: "a"){ runs { id } proposedRuns { id } before: runs(before: "`+third+`"){ id } } }`, nil)
	equal(t, "lists", at(list, "stack"), vars{
		"runs": []vars{{"id": third}, {"id": second}, {"id": first}}, "proposedRuns": []vars{{"id": proposed}}, "before": []vars{{"id": second}, {"id": first}},
	})
}

// TestTrigger: a run has the configuration of its beginning, and a stack that is disabled or
// that has no commit starts none.
func TestTrigger(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	f.refused("could not find commit", triggerQuery, vars{"stack": "a"})
	f.refused("could not find commit", triggerQuery, vars{"stack": "a", "sha": "main"})
	f.refused("cannot be triggered", triggerQuery, vars{"stack": "a", "sha": sha1, "type": "TASK"})
	f.do(on("stackDisable"), vars{"id": "a"})
	f.refused("stack is disabled", triggerQuery, vars{"stack": "a", "sha": sha1})
	equal(t, "a push to a disabled stack", len(f.server.Push("acme/manager", "main", sha1)), 0)
	f.do(on("stackEnable"), vars{"id": "a"})
	f.config("a", "SIZE", "1", false)
	f.do(triggerQuery, vars{"stack": "a", "type": "PROPOSED", "config": vars{"environment": []vars{{"key": "REQUEST", "value": "r1"}}}})
	f.config("a", "SIZE", "2", false)
	r := f.stack("a").Runs[0]
	equal(t, "the head of the branch", r.Commit, sha1)
	equal(t, "snapshot", []string{r.Config[0].ID, r.Config[0].Value, r.Config[1].ID, r.Config[1].Value}, []string{"REQUEST", "r1", "SIZE", "1"})
	equal(t, "a proposed run sets no commit", f.stack("a").Commit, "")
	f.server.Plan(func(st spacelift.Stack, r spacelift.Run) spacelift.Delta {
		return spacelift.Delta{Err: "no such module"}
	})
	f.until("a", "FAILED")
	equal(t, "note", at(f.do(`{ stack(id: "a"){ proposedRuns { history { state note } } } }`, nil), "stack", "proposedRuns", 0, "history", 0), vars{"state": "FAILED", "note": "no such module"})
	f.do(`mutation($run: ID!){ runRetry(stack: "a", run: $run){ id } }`, vars{"run": r.ID})
	equal(t, "runs", len(f.stack("a").Runs), 2)
}

// TestDependentRuns: a stack that depends on another one runs after it, with its outputs,
// and is skipped when none that it refers to has changed.
func TestDependentRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("net", vars{"autodeploy": true})
	f.create("app", vars{"branch": "app"})
	f.server.Push("acme/manager", "app", sha1)
	good(t, f.server.Discard("app", f.stack("app").Runs[0].ID, "jo"))
	id := at(f.do(`mutation{ stackDependencyCreate(input: {stackId: "app", dependsOnStackId: "net"}){ id } }`, nil), "stackDependencyCreate", "id")
	f.do(`mutation($id: ID!){ stackDependenciesAddReference(stackDependencyID: $id, reference: {outputName: "vpc", inputName: "TF_VAR_vpc", type: ENVIRONMENT_VARIABLE}){ id } }`, vars{"id": id})
	f.server.SetOutputs("net", spacelift.Output{ID: "vpc", Value: `"vpc-1"`}, spacelift.Output{ID: "key", Value: `"k"`, Sensitive: true})
	equal(t, "outputs", at(f.do(`{ stack(id: "net"){ outputs { id value sensitive } } }`, nil), "stack", "outputs"),
		[]vars{{"id": "vpc", "value": `"vpc-1"`, "sensitive": false}, {"id": "key", "value": nil, "sensitive": true}})
	for range 2 {
		f.trigger("net", "TRACKED", sha1)
		f.until("net", "FINISHED")
	}
	runs := f.stack("app").Runs
	equal(t, "runs", []any{len(runs), runs[1].State, runs[1].Config[0].ID, runs[1].Config[0].Value, runs[2].State}, []any{3, runs[1].State, "TF_VAR_vpc", `"vpc-1"`, "SKIPPED"})
}
