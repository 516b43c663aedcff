package deploy_test

import (
	"bytes"
	"errors"
	"regexp"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestForgedReviews: who can write to the store makes it look as if the pull
// request had shown the plan that is now made.
func TestForgedReviews(t *testing.T) {
	t.Parallel()
	forgeries := map[string]struct {
		forge func(w *pipelinetest.Setup, pull, refused pipeline.Request)
		want  pipeline.Reason
	}{
		"receipt with another fingerprint": {func(w *pipelinetest.Setup, pull, refused pipeline.Request) {
			fingerprint := regexp.MustCompile(`"fingerprint": ".*"`)
			mine := fingerprint.Find(w.Read(w.Folder(refused, "staging") + "planned.json"))
			w.Replace(pull, "staging", "planned.json", func(b []byte) []byte {
				forged := fingerprint.ReplaceAllLiteral(b, mine)
				if len(mine) == 0 || bytes.Equal(forged, b) {
					w.T.Fatal("nothing is forged")
				}
				return forged
			})
		}, pipeline.ReasonTampered},
		"whole plan of another request": {func(w *pipelinetest.Setup, pull, refused pipeline.Request) {
			w.Write(w.Folder(pull, "staging")+"planned.json", w.Read(w.Folder(refused, "staging")+"planned.json"))
		}, pipeline.ReasonTampered},
		"push that calls itself a pull request": {func(w *pipelinetest.Setup, pull, refused pipeline.Request) {
			key := "acme/requests/" + string(refused.ID) + ".json"
			w.Write(key, bytes.Replace(w.Read(key), []byte(`"event": "push"`), []byte(`"event": "pull_request"`), 1))
			w.Write("acme/pulls/5/29990101T000000.000000000Z-00000000000000000001-000001-"+string(refused.ID), nil)
		}, pipeline.ReasonTampered},
		"nothing": {func(*pipelinetest.Setup, pipeline.Request, pipeline.Request) {}, pipeline.ReasonUnreviewed},
	}
	for name, c := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Environments[0].RequireReviewed = true
			pull := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "pull_request")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(pull, "staging"))
			commit := w.Hub.Commit("staging three\n")
			w.Hub.Merged[commit] = 5
			first := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
			if _, err := w.Plan(first, "staging"); err == nil {
				t.Fatal("an unreviewed plan waits")
			}
			c.forge(w, pull, first)
			request, err := w.Send(w.Dispatch(commit, "push"))
			if err == nil {
				_, err = w.Plan(request, "staging")
			}
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestForgedRequests: a request whose record was edited is neither planned nor applied.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"mode":        {`"mode": "plan"`, `"mode": "apply"`},
		"requester":   {`"actor": "dev"`, `"actor": "eve"`},
		"environment": {`"staging"`, `"staging", "production"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
			if name == "mode" {
				a.Mode = pipeline.ModePlan
			}
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(a))
			forge := func() {
				key := "acme/requests/" + string(request.ID) + ".json"
				b := w.Read(key)
				if !bytes.Contains(b, []byte(change[0])) {
					t.Fatalf("no %s in %s", change[0], b)
				}
				w.Write(key, bytes.Replace(b, []byte(change[0]), []byte(change[1]), 1))
			}
			if name != "mode" {
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			}
			forge()
			var refused *pipeline.RefusedError
			if name == "mode" {
				if _, err := w.Plan(request, "staging"); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
					t.Fatalf("planned: %v", err)
				}
				return
			}
			if _, err := w.Apply(w.Target(request, "staging")); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
				t.Fatalf("applied: %v", err)
			}
			if w.Engine.Applies != 0 {
				t.Fatal("it was applied")
			}
		})
	}
}
