package deploy_test

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

func reportInput(w *pipelinetest.Setup, request pipeline.Request, final bool) publish.ReportInput {
	return publish.ReportInput{Customer: w.Current, Request: request.ID, Final: final, Run: pipelinetest.JobRun}
}

type failOnce struct {
	pipeline.Store
	contains string
	armed    bool
}

func (s *failOnce) Create(ctx context.Context, key string, body io.Reader) error {
	if s.armed && strings.Contains(key, s.contains) {
		s.armed = false
		return errors.New("503")
	}
	return s.Store.Create(ctx, key, body)
}

func (b both) Seal(ctx context.Context, w io.Writer, to pipeline.Binding) (io.WriteCloser, error) {
	return b.second.Seal(ctx, w, to)
}

// wantNotApplied wants that an apply ends with an error.
func wantNotApplied(w *pipelinetest.Setup, in pipeline.TargetInput) {
	w.T.Helper()
	if got, err := w.Apply(in); err == nil {
		w.T.Fatalf("applied: %+v", got)
	}
}
