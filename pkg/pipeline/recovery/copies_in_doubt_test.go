package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// TestDoubtfulCopies: what cannot be compared with a memory is not called a fit.
func TestDoubtfulCopies(t *testing.T) {
	t.Parallel()
	copied := func(serial uint64, resources int) pipeline.StateRecord {
		return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: serial}, Resources: resources}
	}
	for name, c := range map[string]struct {
		copied pipeline.StateRecord
		before func(*pipelinetest.Setup)
		doubt  string
	}{
		"the same":  {copied(1, 2), nil, ""},
		"newer":     {copied(3, 1), nil, "newer than what the last apply left"},
		"encrypted": {copied(1, pipeline.UnknownResources), nil, "cannot be counted"},
		"accepted that there is none": {copied(1, 2), func(w *pipelinetest.Setup) {
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			if err := restorer.Accept(w.T.Context(), w.Target(pipeline.Request{}, "staging"), recovery.Acceptable{Reason: "gone"}); err != nil {
				w.T.Fatal(err)
			}
		}, "accepted that there is no state"},
		"nothing on record": {copied(1, 2), func(w *pipelinetest.Setup) {
			for _, key := range pipelinetest.Must[[]string](w.T)(w.Store.List(w.T.Context(), "acme/staging/")) {
				if err := w.Store.Delete(w.T.Context(), key); err != nil {
					w.T.Fatal(err)
				}
			}
		}, "no apply is on record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			if c.before != nil {
				c.before(w)
			}
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			fit, err := restorer.Compare(t.Context(), w.Target(pipeline.Request{}, "staging"), c.copied)
			if err != nil || fit.Misfit != nil || (fit.Doubt == "") != (c.doubt == "") || !strings.Contains(fit.Doubt, c.doubt) {
				t.Errorf("%+v, %v", fit, err)
			}
			l := &losing{Engine: w.Engine}
			restorer.Engine = l
			from := recovery.StateCopy{File: stateText(t), State: c.copied, Name: "the copy", From: "from a file"}
			_, err = restorer.Restore(t.Context(), w.Target(pipeline.Request{}, "staging"), from)
			if refused := errors.As(err, new(*pipeline.RefusedError)); refused != (c.doubt != "") || refused != (len(l.pushed) == 0) || refused && !pipelinetest.ContainsAll(err.Error(), "the copy", c.doubt, "--force") {
				t.Errorf("restored without force: %v, pushed %v", err, l.pushed)
			}
			if from.Force = true; c.doubt != "" {
				if _, err = restorer.Restore(t.Context(), w.Target(pipeline.Request{}, "staging"), from); err != nil || len(l.pushed) != 1 {
					t.Errorf("forced: %v, pushed %v", err, l.pushed)
				}
			}
		})
	}
}
