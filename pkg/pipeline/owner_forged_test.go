package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// TestForgedNewestRegistration: without a record of an apply, no registration of the
// repository that asks is an answer to the one of another repository.
func TestForgedNewestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/")
	eight := w.ofRepository8("acme")
	forged := eight
	forged.Path = "zzz"
	body := `{"record": {"repository_id": 8, "path": "zzz", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AAAA"}`
	if err := w.store.Create(context.Background(), registry.RegistrationKey(forged, 1), strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	err := registry.CheckOwner(context.Background(), recordsOf(w.store, w.sealer), eight, "staging")
	wantRefused(t, "the forged owner", err, pipeline.ReasonOtherRepository)
}
