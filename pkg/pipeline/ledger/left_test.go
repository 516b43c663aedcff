package ledger

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestToolWithoutState: a tool that keeps no state loses none, has built something all the
// same, and does not take the place of a state that another tool has left.
func TestToolWithoutState(t *testing.T) {
	t.Parallel()
	none, lost := pipeline.NoState(), pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "a", Serial: 3}, Resources: 2}
	built := Remembered{left: &LeftState{Event: Applied, State: &none}}
	if found := built.Lost(pipeline.NoState(), "here"); found != nil {
		t.Errorf("it is lost: %+v", found)
	}
	if left := built.Left(); len(left) != 1 || !left[0].Holds() || left[0].None() || built.NoneLeft() {
		t.Errorf("it holds nothing: %+v", left)
	}
	if gone := (Remembered{left: &LeftState{Event: Destroyed, State: &none}}); gone.Lost(pipeline.NoState(), "here") != nil || !gone.Ended() || gone.Left()[0].Holds() {
		t.Errorf("after a destroy: %+v", gone.Left())
	}
	killed := Remembered{left: &LeftState{Event: Failed}}
	if found := killed.Lost(pipeline.NoState(), "here"); found != nil {
		t.Errorf("after an apply that was killed, it is lost: %+v", found)
	}
	if killed.Lost(pipeline.StateRecord{}, "here") == nil {
		t.Error("after an apply that was killed, the state of a tool that keeps one is not missed")
	}
	before := Remembered{left: &LeftState{Event: Applied, State: &lost}}
	if before.Lost(pipeline.NoState(), "here") == nil {
		t.Error("a state of another tool is not missed")
	}
}
