package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// long is a store with a ledger of n entries, of which the last one can be read.
type long struct {
	pipeline.Store
	n, listed, asked int
}

func (l *long) First(_ context.Context, prefix string) (string, error) {
	l.listed++
	if l.n == 0 || prefix != "acme/staging/ledger/" {
		return "", nil
	}
	return record.LedgerKey(staging, l.n), nil
}

func (l *long) Open(_ context.Context, key string) (io.ReadCloser, error) {
	l.asked++
	n, is := record.LedgerSequence(staging, key)
	if !is || n > l.n {
		return nil, pipeline.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(fmt.Sprintf(`{"record":{"version":1,"sequence":%d,"previous":"","at":"2026-03-01T12:00:00Z","event":"failed","customer":"acme","environment":"staging"},"seal":null}`, n))), nil
}

func TestHeadOfALongLedger(t *testing.T) {
	t.Parallel()
	for _, n := range slices.Concat([]int{0, 1, 9, 10, 999, 1000, 1001, 12_345, 99_999}) {
		s := &long{n: n}
		head, err := ledger.Ledger{Records: record.Records{Store: s}}.Tip(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging"})
		if err != nil || head.Sequence != n {
			t.Errorf("%d entries: %d, %v", n, head.Sequence, err)
		}
		if s.listed != 1 || s.asked > 1 {
			t.Errorf("%d entries: %d listings, %d reads", n, s.listed, s.asked)
		}
	}
}

// TestHugeEntry: whoever can write to the store fills no memory.
func TestHugeEntry(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Write("acme/staging/ledger/9999999998-1.json", []byte(`{"message":"`+strings.Repeat("x", 70_000)))
	if _, _, err := w.Ledger().Read(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging"}); !errors.Is(err, ledger.ErrBroken) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("%v", err)
	}
}

// counting counts what is read.
type counting struct {
	pipeline.Store
	reads atomic.Int64
}

func (c *counting) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	c.reads.Add(1)
	return c.Store.Open(ctx, key)
}

// TestFloodedLedger: a rejection costs no more because many came before it, and
// many that meet do not look at each other over and over.
func TestFloodedLedger(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	c := &counting{Store: w.Store}
	chain := ledger.Ledger{Records: pipelinetest.RecordsOf(c, w.Sealer), Now: func() time.Time { return w.Now }}
	reject := func(run int64) {
		e := ledger.Entry{Event: ledger.Rejected, Reason: pipeline.ReasonUnknownCustomer, Run: pipeline.Run{ID: run, Attempt: 1, CreatedAt: w.Now}}
		if _, err := chain.Append(context.Background(), e); err != nil {
			t.Error(err)
		}
	}
	const before = 300
	for run := range before {
		reject(int64(run + 1))
	}
	c.reads.Store(0)
	reject(before + 1)
	if n := c.reads.Load(); n > 101 {
		t.Errorf("a rejection behind %d others reads %d entries", before, n)
	}
	c.reads.Store(0)
	const many = 8
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { reject(int64(1000 + i)) })
	}
	all.Wait()
	if n := c.reads.Load(); n > many*(101+2*many) {
		t.Errorf("%d rejections that meet read %d entries", many, n)
	}
	entries, _, err := chain.Read(t.Context(), pipeline.Target{})
	if err != nil || len(entries) != before+1+many {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	reject(1000) // the same step again
	if head, err := chain.Tip(t.Context(), pipeline.Target{}); err != nil || head.Sequence != len(entries) {
		t.Errorf("%+v, %v", head, err)
	}
}
