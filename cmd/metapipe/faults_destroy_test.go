package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// newEndScene is a scene whose push was applied, with somebody who approves its destroy.
func newEndScene(t *testing.T, server *miniotest.Server, bucket string) *scene {
	t.Helper()
	s := newScene(t, server, bucket)
	if good, _ := s.carry(s.run); !good {
		t.Fatalf("the request does not end well:\n%s", s.log.String())
	}
	s.reviewers("staging", "robin")
	s.approver = "robin"
	return s
}

// ends carries a destroy of staging from its first job to its end.
func (s *scene) ends() (good bool, p *prepared) {
	s.t.Helper()
	p = s.prepare(s.byHand(), destroyOf("staging")...)
	return s.finish(p), p
}

// writesOfDestroy carries a destroy that goes well and returns all that it writes.
func writesOfDestroy(t *testing.T, server *miniotest.Server) []writeAt {
	t.Helper()
	s := newEndScene(t, server, "recorded-end")
	all := s.recorded(func() bool { good, _ := s.ends(); return good })
	s.wantEnded()
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
		if tools(at.name) || at.step.command == "report" {
			continue // the tool's own writes and those of a report have tests of their own
		}
		fault, times := hubtest.Fault{Status: 500, Message: "InternalError"}, 1000
		if n++; n%4 == 0 {
			fault, times = hubtest.Fault{Reset: true, AfterEffect: true}, 1
		}
		bucket := fmt.Sprintf("fault-end-%d", n)
		m.run(t, at.String(), func(t *testing.T) {
			s := newEndScene(t, server, bucket)
			s.fails(at, fault, times)
			s.ends()
			s.disarm(s.hub)
			emptied := s.wantEndSettled()
			s.repeats(emptied)
			s.wantEnded()
		})
	}
}

// wantEndSettled is wantSettled for a destroy, and reports whether it has left nothing.
func (s *scene) wantEndSettled() (emptied bool) {
	s.t.Helper()
	for range 2 {
		if r := s.sweep("--fix"); r.exit != 0 {
			s.t.Errorf("sweep --fix ends with exit code %d:\n%s", r.exit, r.log)
		}
	}
	if s.locked("shop/staging") {
		s.t.Error("a lock is left")
	}
	s.wantNothingPending()
	state := s.state("shop/staging")
	if !json.Valid([]byte(state)) {
		s.t.Fatalf("the state is no JSON:\n%s", state)
	}
	emptied = !strings.Contains(state, "terraform_data")
	entries := s.ledger("staging")
	destroyed := false
	for _, e := range entries {
		destroyed = destroyed || e.Event == ledger.Destroyed
	}
	if printed := s.statuses(s.run.sha)["infra/terraform-deploy/staging"]; !emptied && (destroyed || strings.HasPrefix(printed, "success: Destroy")) {
		s.t.Errorf("the status is %q and the ledger says destroyed: %t, and the state holds resources", printed, destroyed)
	}
	if list := s.states(); !emptied && strings.Contains(list, `"ended"`) || strings.Contains(list, `"lost"`) {
		s.t.Errorf("emptied: %t, and the states are\n%s", emptied, list)
	}
	return emptied
}

// repeats destroys again. An end that is on record needs no repetition, and one whose
// record could not be written is accepted first.
func (s *scene) repeats(emptied bool) {
	s.t.Helper()
	good, p := s.ends()
	switch {
	case good:
		return
	case !emptied:
		s.t.Error("the destroy cannot be repeated")
	case p.id == "" && strings.Contains(s.log.String(), "nothing left to do"):
		return
	case strings.Contains(s.log.String(), "state accept"):
		r := s.inside(s.driftJob(), "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "destroyed")
		if good, _ = s.ends(); r.exit != 0 || !good {
			s.t.Errorf("the destroy does not end well after its state was accepted:\n%s", r.log)
		}
	default:
		s.t.Error("the destroy that has emptied the state cannot be repeated")
	}
}

// wantEnded is the end: no resource is left, and that is on record.
func (s *scene) wantEnded() {
	s.t.Helper()
	if state := s.state("shop/staging"); strings.Contains(state, "terraform_data") {
		s.t.Errorf("the state holds resources:\n%s", state)
	}
	if list := s.states(); !strings.Contains(list, `"ended"`) {
		s.t.Errorf("the target has not ended:\n%s", list)
	}
	s.wantNothingPending()
}

func (s *scene) states() string {
	s.t.Helper()
	return s.driftJob().inside(context.Background(), s.manager, "state", "list", "--environment", "staging", "--json").log
}
