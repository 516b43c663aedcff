package pipelinetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// ReportError reports and returns only the error.
func (w *Setup) ReportError(id pipeline.RequestID, final bool) error {
	w.T.Helper()
	w.Tick()
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Overlap: w.Overlaps, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	_, _, err := r.Run(context.Background(), publish.ReportInput{Manager: ManagerSlug, Customer: w.Current, Request: id, Final: final, Run: JobRun})
	return err
}

// Report reports on a request and fails the test on an error.
func (w *Setup) Report(request pipeline.Request, final bool) pipeline.Report {
	w.T.Helper()
	w.Tick()
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Overlap: w.Overlaps, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	report, _, err := r.Run(context.Background(), publish.ReportInput{Manager: ManagerSlug, Customer: w.Current, Request: request.ID, Final: final, Run: JobRun})
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// ReportAs is a report that may fail.
func (w *Setup) ReportAs(in publish.ReportInput) (pipeline.Report, error) {
	w.T.Helper()
	w.Tick()
	in.Manager = ManagerSlug
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Overlap: w.Overlaps, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	report, _, err := r.Run(context.Background(), in)
	return report, err
}

// PlainRenderer renders only what the tests look at.
type PlainRenderer struct{}

func (PlainRenderer) Comment(r pipeline.Report) string {
	return "request " + string(r.Request.ID) + describe(r)
}

func (PlainRenderer) Summary(r pipeline.Report) string { return describe(r) }

func (PlainRenderer) Status(r pipeline.Report, t pipeline.Target) string {
	if t.Environment == "" {
		return "overall" + describe(r) + strings.Repeat(" and so on", 20)
	}
	return t.Name()
}

func describe(r pipeline.Report) string {
	s := ""
	for _, t := range r.Targets {
		s += fmt.Sprintf(" %s=%s", t.Environment, t.Outcome)
	}
	return s
}
