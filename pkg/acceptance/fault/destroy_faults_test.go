package fault

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// newEndScene is a scene whose push was applied, with someone who approves its destroy.
func newEndScene(t *testing.T, server *miniotest.Server, bucket string) *fixture.PushCase {
	t.Helper()
	s := fixture.NewPushCase(t, server, bucket)
	if good, _ := s.PlayAll(s.Run); !good {
		t.Fatalf("the request does not end well:\n%s", s.Transcript())
	}
	s.Reviewers("staging", "robin")
	s.Approver = "robin"
	return s
}

// ends carries a destroy of staging from its first job to its end.
func ends(s *fixture.PushCase) (good bool, p *fixture.Prepared) {
	s.T.Helper()
	p = s.Prepare(s.ByHand(), fixture.DestroyOf("staging")...)
	return s.Finish(p), p
}

// writesOfDestroy carries a destroy that goes well and returns all that it writes.
func writesOfDestroy(t *testing.T, server *miniotest.Server) []writeAt {
	t.Helper()
	s := newEndScene(t, server, "recorded-end")
	all := recorded(s, func() bool { good, _ := ends(s); return good })
	wantEnded(s)
	return all
}

// TestFaultDestroy lets every write of a destroy fail for the rest of its run, or lose
// its reply once. Nothing hangs, nothing is called destroyed that is there, and the
// destroy can be repeated to its end.
func TestFaultDestroy(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	var m tally
	m.report(t)
	n := 0
	for _, at := range writesOfDestroy(t, server) {
		if fixture.OfTool(at.name) || at.step.Command == "report" {
			continue // the tool's own writes and those of a report have tests of their own
		}
		fault, times := hubtest.Fault{Status: 500, Message: "InternalError"}, 1000
		if n++; n%4 == 0 {
			fault, times = hubtest.Fault{Reset: true, AfterEffect: true}, 1
		}
		bucket := fmt.Sprintf("fault-end-%d", n)
		m.run(t, at.String(), func(t *testing.T) {
			s := newEndScene(t, server, bucket)
			fails(s, at, fault, times)
			ends(s)
			s.Disarm(s.Hub)
			emptied := wantEndRecorded(s)
			repeats(s, emptied)
			wantEnded(s)
		})
	}
}

// wantEndRecorded is wantSettled for a destroy, and reports whether it has left nothing.
func wantEndRecorded(s *fixture.PushCase) (emptied bool) {
	s.T.Helper()
	for range 2 {
		if r := s.Sweep("--fix"); r.Exit != 0 {
			s.T.Errorf("sweep --fix ends with exit code %d:\n%s", r.Exit, r.Log)
		}
	}
	if s.Locked("shop/staging") {
		s.T.Error("a lock is left")
	}
	s.WantNothingPending()
	state := s.State("shop/staging")
	if !json.Valid([]byte(state)) {
		s.T.Fatalf("the state is no JSON:\n%s", state)
	}
	emptied = !strings.Contains(state, "terraform_data")
	entries := s.Ledger("staging")
	destroyed := false
	for _, e := range entries {
		destroyed = destroyed || e.Event == ledger.Destroyed
	}
	if printed := s.Statuses(s.Run.SHA)["infra/terraform-deploy/staging"]; !emptied && (destroyed || strings.HasPrefix(printed, "success: Destroy")) {
		s.T.Errorf("the status is %q and the ledger says destroyed: %t, and the state holds resources", printed, destroyed)
	}
	if list := states(s); !emptied && strings.Contains(list, `"ended"`) || strings.Contains(list, `"lost"`) {
		s.T.Errorf("emptied: %t, and the states are\n%s", emptied, list)
	}
	return emptied
}

// repeats destroys again. An end that is on record needs no repetition, and one whose
// record could not be written is accepted first.
func repeats(s *fixture.PushCase, emptied bool) {
	s.T.Helper()
	good, p := ends(s)
	switch {
	case good:
		return
	case !emptied:
		s.T.Error("the destroy cannot be repeated")
	case p.ID == "" && strings.Contains(s.Transcript(), "nothing left to do"):
		return
	case strings.Contains(s.Transcript(), "state accept"):
		r := s.Inside(s.DriftJob(), "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "destroyed")
		if good, _ = ends(s); r.Exit != 0 || !good {
			s.T.Errorf("the destroy does not end well after its state was accepted:\n%s", r.Log)
		}
	default:
		s.T.Error("the destroy that has emptied the state cannot be repeated")
	}
}

// wantEnded is the end: no resource is left, and that is on record.
func wantEnded(s *fixture.PushCase) {
	s.T.Helper()
	if state := s.State("shop/staging"); strings.Contains(state, "terraform_data") {
		s.T.Errorf("the state holds resources:\n%s", state)
	}
	if list := states(s); !strings.Contains(list, `"ended"`) {
		s.T.Errorf("the target has not ended:\n%s", list)
	}
	s.WantNothingPending()
}

func states(s *fixture.PushCase) string {
	s.T.Helper()
	return s.Inside(s.DriftJob(), "state", "list", "--environment", "staging", "--json").Log
}
