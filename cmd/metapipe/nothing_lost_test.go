package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// TargetStore is what a test looks at behind metapipe's back.
type TargetStore interface {
	// State is the state of a target as the tool has left it, empty for none.
	State(target string) string
	// Locked reports whether somebody holds the lock of a target.
	Locked(target string) bool
}

// WantNothingLost is the promise that nothing hangs and nothing is lost. name is what
// the request wants to make in staging.
func (c *Runner) WantNothingLost(s TargetStore, sha, name string) {
	t := c.T
	t.Helper()
	before := s.State("shop/staging")
	if r := c.Sweep("--fix"); r.Exit != 0 {
		t.Errorf("sweep --fix ends with exit code %d:\n%s", r.Exit, r.Log)
	}
	if r := c.Sweep("--fix"); r.Exit != 0 || !strings.Contains(r.Log, "0 open requests, 0 findings") {
		t.Errorf("the second sweep ends with exit code %d:\n%s", r.Exit, r.Log)
	}
	if s.Locked("shop/staging") {
		t.Error("a lock is left")
	}
	state := s.State("shop/staging")
	if state != before {
		t.Error("somebody but the tool has written the state")
	}
	if state != "" && !json.Valid([]byte(state)) {
		t.Errorf("the state is no JSON:\n%s", state)
	}
	c.WantNothingPending()
	c.wantTrueStatuses(sha, name, state)
	for _, pr := range c.Setup.Customer.Snapshot().Pulls {
		if len(pr.Comments) > 1 {
			t.Errorf("pull request #%d has %d comments", pr.Number, len(pr.Comments))
		}
	}
}

// wantTrueStatuses compares what the customer was told with the ledger and with
// the state.
func (c *Runner) wantTrueStatuses(sha, name, state string) {
	t := c.T
	t.Helper()
	entries := c.Ledger("staging")
	printed := c.Statuses(sha)["infra/terraform-deploy/staging"]
	wholly := c.Statuses(sha)["infra/terraform-deploy"]
	done := slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		return string(e.Commit) == sha && (e.Event == ledger.Applied || e.Outcome == pipeline.OutcomePlanned)
	})
	if got := strings.HasPrefix(printed, "success"); got != done {
		t.Errorf("the status is %q, and the ledger says: done %t\n%s", printed, done, Events(entries))
	}
	if strings.HasPrefix(wholly, "success") && !done {
		t.Errorf("the overall status is %q, and nothing was done", wholly)
	}
	applied := slices.ContainsFunc(entries, func(e ledger.Entry) bool { return string(e.Commit) == sha && e.Event == ledger.Applied })
	if applied && !strings.Contains(state, name) {
		t.Errorf("%s was applied, and is not in the state:\n%s", name, state)
	}
	// Whoever was asked for something is answered in the ledger.
	open := map[pipeline.RequestID]bool{}
	for _, e := range entries {
		switch e.Event {
		case ledger.Requested:
			open[e.Request] = true
		case ledger.Planned:
			open[e.Request] = open[e.Request] && e.Outcome == pipeline.OutcomeWaiting
		case ledger.Applied, ledger.Failed, ledger.Refused, ledger.Superseded, ledger.Closed:
			open[e.Request] = false
		}
	}
	for id, is := range open {
		if is {
			t.Errorf("the ledger never tells how request %s ended:\n%s", id.Short(), Events(entries))
		}
	}
}

func Events(entries []ledger.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Request.Short() + " " + string(e.Event) + " " + string(e.Outcome) + " " + e.Message + "\n")
	}
	return b.String()
}

// WantRerun pushes once more, when nothing goes wrong any more.
func (c *Runner) WantRerun(s TargetStore) {
	t := c.T
	t.Helper()
	c.CustomerClock = &clock{}
	run := c.Push("main", map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"})
	if good, _ := c.PlayAll(run); !good {
		t.Error("the rerun does not end well")
	}
	c.WantStatus(run.SHA, "infra/terraform-deploy", "success: ")
	c.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
	if !strings.Contains(s.State("shop/staging"), "again in staging") {
		t.Error("the rerun is not in the state")
	}
	c.Ledger("staging")
}

// OnFailure shows what the commands have said.
func (c *Runner) OnFailure(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			c.Mu.Lock()
			defer c.Mu.Unlock()
			t.Log(c.Log.String())
		}
	})
}
