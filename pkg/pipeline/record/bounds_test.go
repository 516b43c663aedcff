package record_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// endless is a store whose every object goes on for ever, and counts what is read of it.
type endless struct {
	pipeline.Store
	read int64
}

func (s *endless) Open(context.Context, string) (io.ReadCloser, error) { return io.NopCloser(s), nil }

func (s *endless) Read(p []byte) (int, error) {
	s.read += int64(len(p))
	return len(p), nil
}

// TestBoundsOfRecords: what is read of a record before it is verified ends at the bound of its kind, and then the
// record is damaged. No larger one is written.
func TestBoundsOfRecords(t *testing.T) {
	const small, variables, large = 64 << 10, 4 << 20, 64 << 20
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	id, sha := pipeline.RequestID("11111111-1111-4111-8111-111111111111"), pipeline.SHA(strings.Repeat("a", 40))
	request := pipeline.Request{ID: id, Customer: "acme", Commit: sha, PullRequest: 1}
	acme := pipeline.Customer{Name: "acme", RepositoryID: 7, Path: "infra"}
	attempt := record.PlansPrefix(target, id) + "0001/"
	announced := record.Announced{Target: target, Request: id, Receipt: pipeline.SHA256Hex(nil), Run: pipeline.Run{ID: 7}}
	for kind, c := range map[string]struct {
		key  string
		most int64
	}{
		"the start of a plan":      {attempt + record.ObjectStart, small},
		"the result of an apply":   {attempt + record.ApplyResultObject(3), large},
		"an announcement":          {announced.Key(), small},
		"that a state was written": {record.KeptRequestPrefix(target, id) + "0001/" + record.ObjectRecovered, small},
		"a request":                {record.RequestKey("acme", id), variables},
		"the last apply":           {record.LastApplyPrefix(target) + "20270101T000000.000000000Z-" + string(id) + ".json", variables},
		"a verdict about pushes":   {record.QueueOf(target).Own(request), small},
		"a pull request's":         {record.PullOf("acme", 1).Own(request), small},
		"a commit's":               {record.CommitOf(request).Own(request), small},
		"a used signature":         {"_metapipe/tokens/" + pipeline.SHA256Hex(nil), small},
		"a request without proof":  {record.UnverifiedKey(pipeline.Run{ID: 7, Attempt: 1}), variables},
		"a registration":           {registry.RegistrationKey(acme, 1), small},
		"a rename":                 {pipelinetest.Renames + "acme/000001.json", small},
		"the beginning of a scan":  {"_metapipe/scans/begun/x.json", large},
		"the history of scans":     {"_metapipe/scans/history/x.json", large},
		"the book of issues":       {"_metapipe/scans/issues/x.json", large},
	} {
		w := pipelinetest.New(t)
		var got any
		store := &endless{Store: w.Store}
		err := record.Records{Store: store, Sealer: w.Sealer}.ReadRecord(t.Context(), record.PlanAttempt{Target: target}, c.key, &got)
		if !errors.Is(err, pipeline.ErrTampered) || !errors.Is(err, record.ErrTooLarge) || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%s that is too large: %v", kind, err)
		}
		if store.read < c.most || store.read > 2*c.most {
			t.Errorf("%s: %d bytes were read, and its bound is %d", kind, store.read, c.most)
		}
		if c.most == large {
			continue // the same check, and slow
		}
		records := pipelinetest.RecordsOf(w.Store, w.Sealer)
		err = records.CreateRecord(t.Context(), record.PlanAttempt{Target: target}, c.key, strings.Repeat("x", int(c.most)))
		if !errors.Is(err, record.ErrTooLarge) || !pipelinetest.ContainsAll(err.Error(), "write "+c.key, "such a record has at most") {
			t.Errorf("%s that is too large is written: %v", kind, err)
		}
		if _, err := w.Store.Open(t.Context(), c.key); !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("%s: something was written: %v", kind, err)
		}
		if err := records.CreateRecord(t.Context(), record.PlanAttempt{Target: target}, c.key, strings.Repeat("x", int(c.most/2))); err != nil {
			t.Errorf("half of %s: %v", kind, err)
		}
	}
}

// TestBoundOfALedgerEntry: no entry is written that no one would read.
func TestBoundOfALedgerEntry(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	e := ledger.Entry{Event: ledger.Unreported, Target: target, Run: pipeline.Run{Repository: pipeline.Slug{Owner: strings.Repeat("x", 64<<10)}}}
	if _, err := w.Ledger().Append(t.Context(), e); !errors.Is(err, record.ErrTooLarge) || !pipelinetest.ContainsAll(err.Error(), "the ledger of acme/staging", "an entry has at most 65536") {
		t.Errorf("%v", err)
	}
	if keys := w.Keys("acme/staging/ledger/"); len(keys) > 0 {
		t.Errorf("written: %q", keys)
	}
}
