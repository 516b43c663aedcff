package deploy_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// wantStored wants what a request for hosts alone would be built from; empty: nothing is known.
func (r *needsRun) wantStored(what, value string) {
	r.w.T.Helper()
	needed, err := record.StoredNeeded(r.w.T.Context(), pipelinetest.RecordsOf(r.w.Store, r.w.Sealer), r.w.Current, r.target("hosts"))
	if err != nil || len(needed) != 1 || (needed[0].Unknown == "") != (value != "") {
		r.w.T.Errorf("%s: %+v (%v), want %s", what, needed, err, value)
		return
	}
	if value != "" {
		wantNeeded(r.w.T, needed, value)
	}
}

// appliedOnce is a run whose network was applied, and waits with another change.
func appliedOnce(t *testing.T) *needsRun {
	t.Helper()
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	r.wantStored("at first", `"n1"`)
	r.ask("push")
	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n2"`)}
	r.mustPlan("network")
	return r
}

// TestOutputsWhileAnApplyRuns: from its begin to its end no one is built from outputs that it
// changes, and a kill leaves it at that, until the next apply or a plan without changes.
func TestOutputsWhileAnApplyRuns(t *testing.T) {
	t.Parallel()
	r := appliedOnce(t)
	r.wantStored("before the apply", `"n1"`)
	r.w.Engine.DuringApply = func() { r.wantStored("during the apply", "") }
	r.mustApply("network")
	r.wantStored("after the apply", `"n2"`)

	r.w.Engine.Passed = []pipeline.OutputValue{output("id", `"n3"`)}
	r.ask("push")
	r.w.Engine.DuringApply = nil
	r.mustPlan("network")
	r.w.Engine.DuringApply = runtime.Goexit
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := r.w.Apply(r.in("network"))
		t.Errorf("the apply was not killed: %v", err)
	}()
	<-gone
	r.w.Engine.DuringApply = nil
	r.wantStored("after a kill", "")
	r.ask("push")
	r.unchanged()
	r.mustPlan("network")
	r.wantStored("after a plan without changes", `"n3"`)
	if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 1 {
		t.Errorf("%d records of outputs", n)
	}
}

// TestOutputsOfAnApplyThatDidNotBegin: they are what they were.
func TestOutputsOfAnApplyThatDidNotBegin(t *testing.T) {
	t.Parallel()
	r := appliedOnce(t)
	r.w.Engine.NotStarted = &pipeline.FailedError{Message: "Error acquiring the state lock"}
	if _, err := r.w.Apply(r.in("network")); err == nil {
		t.Fatal("applied")
	}
	r.wantStored("after an apply that did not begin", `"n1"`)
	r.w.Engine.NotStarted = nil
	r.mustApply("network")
	r.wantStored("after the next attempt", `"n2"`)
}

// markFault is a store that does not answer to the mark of an apply.
type markFault struct {
	pipeline.Store
	through bool
}

func (s markFault) Create(ctx context.Context, key string, body io.Reader) error {
	if !strings.HasSuffix(key, ".open") {
		return s.Store.Create(ctx, key, body)
	}
	if s.through {
		return errors.Join(s.Store.Create(ctx, key, body), pipelinetest.ErrFault)
	}
	return pipelinetest.ErrFault
}

// TestOutputsThatCannotBeMarked: nothing is applied then, and the same plan can be.
func TestOutputsThatCannotBeMarked(t *testing.T) {
	t.Parallel()
	for _, through := range []bool{false, true} {
		r := appliedOnce(t)
		good, applies := r.w.Store, r.w.Engine.Applies
		r.w.Store = markFault{good, through}
		if _, err := r.w.Apply(r.in("network")); !errors.Is(err, pipelinetest.ErrFault) || r.w.Engine.Applies != applies {
			t.Errorf("%d applies: %v", r.w.Engine.Applies-applies, err)
		}
		r.w.Store = good
		r.wantStored("after the fault", `"n1"`)
		r.mustApply("network")
		r.wantStored("after the next attempt", `"n2"`)
		if n := len(r.w.Keys("acme/staging.network/outputs/")); n != 1 {
			t.Errorf("%d records of outputs", n)
		}
	}
}
