package recovery_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// TestForeignState: a state of another target is neither restored, also not with force, nor
// accepted, whichever memory of that target knows it.
func TestForeignState(t *testing.T) {
	t.Parallel()
	const text = `{"version":4,"serial":3,"lineage":"far","resources":[]}`
	state := func(w *pipelinetest.Setup, target string) {
		place := filepath.Join(w.ManagerDir, "store", filepath.FromSlash(target), "terraform.tfstate")
		if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), os.WriteFile(place, []byte(text), 0o600)); err != nil {
			w.T.Fatal(err)
		}
	}
	remove := func(w *pipelinetest.Setup, prefix string) {
		for _, key := range pipelinetest.Must[[]string](w.T)(w.Store.List(w.T.Context(), prefix)) {
			if err := w.Store.Delete(w.T.Context(), key); err != nil {
				w.T.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		lineage string
		before  func(*pipelinetest.Setup)
		owner   string // empty: none
	}{
		"last apply and ledger": {"l", func(*pipelinetest.Setup) {}, "acme/staging"},
		"ledger alone":          {"l", func(w *pipelinetest.Setup) { remove(w, "acme/staging/applied/") }, "acme/staging"},
		"last apply alone":      {"l", func(w *pipelinetest.Setup) { remove(w, "acme/staging/ledger/") }, "acme/staging"},
		"state alone":           {"far", func(w *pipelinetest.Setup) { state(w, "other/dev") }, "other/dev"},
		"another stack":         {"far", func(w *pipelinetest.Setup) { state(w, "acme/production.network") }, "acme/production/network"},
		"no other target":       {"new", func(*pipelinetest.Setup) {}, ""},
		"its own state":         {"far", func(w *pipelinetest.Setup) { state(w, "acme/production") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			c.before(w)
			l := &losing{Engine: w.Engine}
			read := func(r io.Reader) (pipeline.StateRecord, error) { return statefile.Read(r) }
			in := w.Target(pipeline.Request{}, "production")
			copied := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: c.lineage, Serial: 3}, Resources: 2}
			from := recovery.StateCopy{File: stateText(t), State: copied, Name: "the copy", From: "from a file", Force: true}
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Engine: l, Now: w.Tick, ReadState: read}
			_, restore := restorer.Restore(t.Context(), in, from)
			again := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick, ReadState: read}
			accept := again.Accept(t.Context(), in, recovery.Acceptable{State: copied, Reason: "mine"})
			if c.owner == "" {
				if restore != nil || len(l.pushed) != 1 {
					t.Errorf("restore: %v, pushed %v", restore, l.pushed)
				}
				return
			}
			for what, err := range map[string]error{"restore": restore, "accept": accept} {
				if !errors.As(err, new(*pipeline.RefusedError)) || !pipelinetest.ContainsAll(err.Error(), "acme/production", c.owner) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(l.pushed) != 0 {
				t.Errorf("pushed %v", l.pushed)
			}
		})
	}
}
