package bench

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// history compares what the steps of a request take in a store with a past with what they take in one
// without. The requests that they make of a bucket are counted in pkg/pipeline
// (TestCostDoesNotGrowWithHistory), and so are the ledgers that are longer than a page of a list.
//
// A directory, unlike a bucket, has no list that begins at a key: it reads the names of a
// whole folder, and of a ledger it asks the file system about each entry. So its rows
// have no limit.
func (b *bench) history(t *testing.T) {
	b.compare(t, "in a bucket that answers in 5 ms", 1.1, newPast(t, 10, 10, true), newPast(t, 5000, 900, true))
	b.compare(t, "in a directory", 0, newPast(t, 10, 10, false), newPast(t, 5000, 900, false))
}

// compare lets two stores take turns.
func (b *bench) compare(t *testing.T, where string, most float64, young, old aged) {
	t.Helper()
	const rounds = 7
	ratios, times := map[string][]float64{}, map[string][]time.Duration{}
	for i := range rounds + 1 {
		var few, many map[string]time.Duration
		if i%2 == 0 {
			few, many = young.request(t), old.request(t)
		} else {
			many, few = old.request(t), young.request(t)
		}
		for step := range few {
			if i > 0 { // the first one warms both
				ratios[step] = append(ratios[step], float64(many[step])/float64(few[step]))
				times[step] = append(times[step], many[step])
			}
		}
	}
	for _, step := range []string{"fetch-vars", "plan", "report", "sweep", "status"} {
		b.add(t, row{name: step + " after 5,000 requests / after 10, " + where, measured: median(ratios[step]), aim: most, limit: most, unit: "×"})
		b.add(t, row{name: "  " + step, measured: milliseconds(median(times[step])), unit: "ms"})
	}
}

// remote answers as a bucket does, after a while for each page of a list and each object.
type remote struct{ *pipelinetest.Memory }

const answers = 5 * time.Millisecond

func (r remote) Create(ctx context.Context, key string, body io.Reader) error {
	time.Sleep(answers)
	return r.Memory.Create(ctx, key, body)
}

func (r remote) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	time.Sleep(answers)
	return r.Memory.Open(ctx, key)
}

func (r remote) Delete(ctx context.Context, key string) error {
	time.Sleep(answers)
	return r.Memory.Delete(ctx, key)
}

func (r remote) Folders(ctx context.Context, prefix string) ([]string, error) {
	time.Sleep(answers)
	return r.Memory.Folders(ctx, prefix)
}

func (r remote) First(ctx context.Context, prefix string) (string, error) {
	time.Sleep(answers)
	return r.Memory.First(ctx, prefix)
}

func (r remote) List(ctx context.Context, prefix string) ([]string, error) {
	return r.ListAfter(ctx, prefix, "")
}

func (r remote) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	keys, err := r.Memory.ListAfter(ctx, prefix, after)
	time.Sleep(answers * time.Duration(1+len(keys)/1000))
	return keys, err
}

// aged is a store with a past.
type aged struct{ *pipelinetest.Setup }

// newPast prepares the objects in memory, and for a directory writes them at once.
func newPast(t *testing.T, kept, entries int, inBucket bool) aged {
	t.Helper()
	w := pipelinetest.New(t)
	onDisk, m := w.Store, pipelinetest.NewMemory()
	w.Store = m
	w.Keep(pipelinetest.Kept{Requests: kept, From: w.Now.Add(-60 * 24 * time.Hour), Every: 17 * time.Minute})
	w.Lengthen(entries, w.Now.Add(-2*time.Hour))
	if inBucket {
		w.Store = remote{m}
		return aged{w}
	}
	states := filepath.Join(w.ManagerDir, "store")
	err := m.Each(func(key string, content []byte) error {
		file := filepath.Join(states, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		return os.WriteFile(file, content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Store = onDisk
	return aged{w}
}

// request carries one push through staging, and says how long each step took.
func (w aged) request(t *testing.T) map[string]time.Duration {
	t.Helper()
	took := map[string]time.Duration{}
	timed := func(step string, run func()) {
		began := time.Now()
		run()
		took[step] = time.Since(began)
	}
	w.Now = w.Now.Add(11 * time.Minute)
	ask := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	var r pipeline.Request
	timed("fetch-vars", func() { r = pipelinetest.Must[pipeline.Request](t)(w.Send(ask)) })
	timed("plan", func() { pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "staging")) })
	timed("report", func() { w.Report(r, false) })
	timed("status", func() {
		fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), []fleetstatus.Wanted{{Target: r.Targets[0].Target}}, w.Now)
	})
	w.SetRun(r, "in_progress", "")
	timed("sweep", func() { w.Sweep(&pipelinetest.StateLocks{}, false) })
	w.Report(r, true) // nothing is left open for the next one
	return took
}
