package pipeline_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// TestForgedReviews: who can write to the store makes it look as if the pull
// request had shown the plan that is now made.
func TestForgedReviews(t *testing.T) {
	t.Parallel()
	forgeries := map[string]struct {
		forge func(w *world, pull, refused pipeline.Request)
		want  pipeline.Reason
	}{
		"receipt with another fingerprint": {func(w *world, pull, refused pipeline.Request) {
			mine, err := pipeline.ParseReceipt(w.read(w.folder(refused, "staging") + "receipt.json"))
			if err != nil {
				w.t.Fatal(err)
			}
			w.replace(pull, "staging", "receipt.json", func(b []byte) []byte {
				shown := must[pipeline.Receipt](w.t)(pipeline.ParseReceipt(b))
				shown.Fingerprint = mine.Fingerprint
				return shown.Bytes()
			})
		}, pipeline.ReasonTampered},
		"whole plan of another request": {func(w *world, pull, refused pipeline.Request) {
			for _, object := range []string{"receipt.json", "model.sealed"} {
				w.write(w.folder(pull, "staging")+object, w.read(w.folder(refused, "staging")+object))
			}
		}, pipeline.ReasonTampered},
		"push that calls itself a pull request": {func(w *world, pull, refused pipeline.Request) {
			key := "acme/requests/" + string(refused.ID) + ".json"
			w.write(key, bytes.Replace(w.read(key), []byte(`"event": "push"`), []byte(`"event": "pull_request"`), 1))
			w.write("acme/pulls/5/29990101T000000.000000000Z-00000000000000000001-000001-"+string(refused.ID), nil)
		}, pipeline.ReasonTampered},
		"nothing": {func(*world, pipeline.Request, pipeline.Request) {}, pipeline.ReasonUnreviewed},
	}
	for name, c := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.customer.Manager.Environments[0].RequireReviewed = true
			pull := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "pull_request")))
			must[deploy.TargetResult](t)(w.plan(pull, "staging"))
			commit := w.hub.commit("staging three\n")
			w.hub.merged[commit] = 5
			first := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
			if _, err := w.plan(first, "staging"); err == nil {
				t.Fatal("an unreviewed plan waits")
			}
			c.forge(w, pull, first)
			request, err := w.send(w.ask(commit, "push"))
			if err == nil {
				_, err = w.plan(request, "staging")
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
			w := newWorld(t)
			a := w.ask(w.hub.commit(bothEnvironments), "push")
			if name == "mode" {
				a.Mode = pipeline.ModePlan
			}
			request := must[pipeline.Request](t)(w.send(a))
			forge := func() {
				key := "acme/requests/" + string(request.ID) + ".json"
				b := w.read(key)
				if !bytes.Contains(b, []byte(change[0])) {
					t.Fatalf("no %s in %s", change[0], b)
				}
				w.write(key, bytes.Replace(b, []byte(change[0]), []byte(change[1]), 1))
			}
			if name != "mode" {
				must[deploy.TargetResult](t)(w.plan(request, "staging"))
			}
			forge()
			var refused *pipeline.RefusedError
			if name == "mode" {
				if _, err := w.plan(request, "staging"); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
					t.Fatalf("planned: %v", err)
				}
				return
			}
			if _, err := w.apply(w.target(request, "staging")); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
				t.Fatalf("applied: %v", err)
			}
			if w.engine.applies != 0 {
				t.Fatal("it was applied")
			}
		})
	}
}
