package record_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestForgedAttachments: who can write to the store exchanges what is attached to a record.
// The record is believed as before, and nothing is shown of what is attached.
func TestForgedAttachments(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	records := pipelinetest.RecordsOf(w.Store, w.Sealer)
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	folder := func(number string) record.PlanAttempt {
		return record.PlanAttempt{Target: target, Prefix: "acme/staging/plans/r/" + number + "/"}
	}
	write := func(number, message, model string) string {
		t.Helper()
		err := records.CreateAttached(t.Context(), folder(number), record.ObjectPlanned, record.Result{Message: message}, []byte(model))
		if err != nil {
			t.Fatal(err)
		}
		return string(w.Read(folder(number).Key(record.ObjectPlanned)))
	}
	const begins = `"attached": "`
	attached := func(stored string) string {
		_, after, _ := strings.Cut(stored, begins)
		sealed, _, _ := strings.Cut(after, `"`)
		return sealed
	}
	own, other, same := write("0001", "one", "model one"), write("0002", "two", "model two"), write("0003", "one", "model one")
	for name, forged := range map[string]string{
		"of another record":                   strings.Replace(own, attached(own), attached(other), 1),
		"of a record with the same content":   strings.Replace(own, attached(own), attached(same), 1),
		"gone":                                strings.Replace(own, attached(own), "", 1),
		"cut":                                 strings.Replace(own, attached(own), attached(own)[:40], 1),
		"the seal of the record, and no more": strings.Replace(own, attached(own), strings.Split(own, `"seal": "`)[1][:strings.Index(strings.Split(own, `"seal": "`)[1], `"`)], 1),
	} {
		w.Write(folder("0001").Key(record.ObjectPlanned), []byte(forged))
		read, err := record.ReadPlanned(t.Context(), records, folder("0001"))
		if err != nil || read.Message != "one" || forged == own {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := read.OpenModel(t.Context(), w.Sealer); !errors.Is(err, pipeline.ErrTampered) || len(text) > 0 {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	w.Write(folder("0001").Key(record.ObjectPlanned), []byte(own))
	read, err := record.ReadPlanned(t.Context(), records, folder("0001"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := read.OpenModel(t.Context(), w.Sealer); err != nil || string(text) != "model one" {
		t.Errorf("%q, %v", text, err)
	}
}
