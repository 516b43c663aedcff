package deploy_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// dying is a store of a process that dies before its write number n: nothing comes after.
type dying struct {
	pipeline.Store
	n *int
}

var errDead = errors.New("the process is dead")

func (d dying) write(do func() error) error {
	if *d.n--; *d.n < 0 {
		return errDead
	}
	return do()
}

func (d dying) Create(ctx context.Context, key string, body io.Reader) error {
	return d.write(func() error { return d.Store.Create(ctx, key, body) })
}

func (d dying) Delete(ctx context.Context, key string) error {
	return d.write(func() error { return d.Store.Delete(ctx, key) })
}

func (d dying) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if *d.n < 0 {
		return nil, errDead
	}
	return d.Store.Open(ctx, key)
}

// TestApplyStoppedAtEachWrite: wherever a job dies, its plan is applied at most once, whatever runs
// again, and what was applied is never told as something that waits or did not begin.
func TestApplyStoppedAtEachWrite(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]func(*pipelinetest.Setup){
		"well":              func(*pipelinetest.Setup) {},
		"the tool fails":    func(w *pipelinetest.Setup) { w.Engine.ApplyErr = &pipeline.FailedError{Message: "half-way"} },
		"not ready in time": func(w *pipelinetest.Setup) { w.Engine.ApplyErr = &pipeline.WaitingError{Message: "not ready"} },
		"nothing changes":   func(w *pipelinetest.Setup) { w.Engine.NotStarted = &pipeline.FailedError{Message: "locked"} },
		"it may not begin":  func(w *pipelinetest.Setup) { w.Current.Manager.Environments[0].Gated = true },
		"a report in front": func(*pipelinetest.Setup) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended, refused := false, 0
			for n := 0; !ended; n++ {
				w := pipelinetest.New(t)
				request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
				good, left := w.Store, n
				failure(w)
				w.Store = dying{good, &left}
				_, stopped := w.Apply(w.Target(request, "staging"))
				ended = left >= 0
				w.Store, w.Engine.ApplyErr, w.Engine.NotStarted = good, nil, nil
				started := w.Engine.Applies
				if name == "a report in front" {
					w.Report(request, true)
				}
				in := w.Target(request, "staging")
				in.Run.Attempt = 2
				again, err := w.Apply(in)
				if w.Engine.Applies > 1 || err == nil && again.Outcome == pipeline.OutcomeApplied && w.Engine.Applies != 1 {
					t.Fatalf("stopped at write %d (%v): %d applies, then %+v %v", n, stopped, w.Engine.Applies, again, err)
				}
				if err != nil {
					refused++
				}
				got := w.Report(request, true).Targets[0]
				switch {
				case err == nil && got.Outcome != pipeline.OutcomeApplied:
					t.Errorf("stopped at write %d, applied again: %+v", n, got)
				case started == 1 && got.Outcome != pipeline.OutcomeApplied && got.Outcome != pipeline.OutcomeFailed:
					t.Errorf("stopped at write %d after the tool had run: %+v", n, got)
				}
				w.LastEvent(pipeline.Target{Customer: "acme", Environment: "staging"}) // which audits
			}
			if name == "nothing changes" && refused != 1 { // of a job that died behind its claim no one knows what it has changed
				t.Errorf("%d of the plans that were not applied cannot be applied any more", refused)
			}
		})
	}
}
