package drift_test

import (
	"context"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// silent is a tracker of issues that must not be spoken to.
type silent struct{ t *testing.T }

func (s silent) Login(context.Context) (string, error) { return "metapipe-bot", nil }

func (s silent) Repository(_ context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	s.t.Errorf("asked for %s", repo)
	return pipeline.Repository{}, nil
}

func (s silent) Issue(_ context.Context, repo pipeline.Slug, n int) (issues.Issue, error) {
	s.t.Errorf("asked for #%d of %s", n, repo)
	return issues.Issue{}, nil
}

func (s silent) Issues(_ context.Context, repo pipeline.Slug, _ string) ([]issues.Issue, error) {
	s.t.Errorf("asked for the issues of %s", repo)
	return nil, nil
}

func (s silent) CreateIssue(_ context.Context, repo pipeline.Slug, _ issues.Draft) (issues.Issue, error) {
	s.t.Errorf("an issue in %s", repo)
	return issues.Issue{}, nil
}

func (s silent) EditIssue(_ context.Context, repo pipeline.Slug, n int, _ issues.Draft) (issues.Issue, error) {
	s.t.Errorf("#%d of %s is edited", n, repo)
	return issues.Issue{}, nil
}

func (s silent) CreateComment(_ context.Context, repo pipeline.Slug, n int, _ string) (pipeline.Comment, error) {
	s.t.Errorf("a comment on #%d of %s", n, repo)
	return pipeline.Comment{}, nil
}

// TestForgedFleetRecords: what the fleet remembers is sealed too; a forged book of
// issues leads to no repository.
func TestForgedFleetRecords(t *testing.T) {
	t.Parallel()
	const book = `{"version": 1, "targets": {"gone/staging": {"repository_id": 4711, "repository": {"owner": "victim", "name": "app"}, "number": 5, "open": true}}}`
	for name, body := range map[string]string{"plain": book, "without a seal": `{"record": ` + book + `}`, "with another seal": `{"record": ` + book + `, "seal": "bWV0YXBpcGU="}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			now := func() time.Time { return w.Now }
			w.Write("_metapipe/scans/issues/20260301T115900.000000000Z-x.json", []byte(body))
			issuer := &drift.Issuer{Store: w.Store, Sealer: w.Sealer, GitHub: silent{t}, Body: func(drift.Result) string { return "" },
				Closing: func(drift.Result) string { return "" }, Now: now}
			_, err := issuer.Run(t.Context(), drift.Scan{Manager: pipelinetest.ManagerSlug}, nil, 10)
			pipelinetest.WantRefused(t, "issues", err, pipeline.ReasonTampered)
			w.Write("_metapipe/scans/history/20260301T115900.000Z-0a1b2c3d.json", []byte(body))
			_, err = drift.Scans(w.Store, w.Sealer, now).List(t.Context(), scans.ListInput{Manager: pipelinetest.ManagerSlug, Shards: 1})
			pipelinetest.WantRefused(t, "history", err, pipeline.ReasonTampered)
			w.Write("_metapipe/scans/begun/20260301T115900.000Z-0a1b2c3d.json", []byte(body))
			_, err = drift.Summarize(t.Context(), drift.Scans(w.Store, w.Sealer, now), "20260301T115900.000Z-0a1b2c3d", nil)
			pipelinetest.WantRefused(t, "scan", err, pipeline.ReasonTampered)
			run := pipeline.Run{ID: 1, Attempt: 1}
			w.Write("_metapipe/rejected/1-1.json", []byte(body))
			_, err = publish.FindRejected(t.Context(), w.Store, w.Sealer, run)
			pipelinetest.WantRefused(t, "rejection", err, pipeline.ReasonTampered)
		})
	}
}
