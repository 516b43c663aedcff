package pipeline_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

const onlyStaging = "staging one\n"

// tally counts what is asked of a store as a bucket bills it: one for each object,
// and one for each page of a list.
type tally struct {
	pipeline.Store
	asked  int
	listed int // keys that lists returned
	queued int // of them those of whole queues
}

const keysOfAPage = 1000 // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

func (c *tally) Create(ctx context.Context, key string, body io.Reader) error {
	c.asked++
	return c.Store.Create(ctx, key, body)
}

func (c *tally) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	c.asked++
	return c.Store.Open(ctx, key)
}

func (c *tally) Delete(ctx context.Context, key string) error {
	c.asked++
	return c.Store.Delete(ctx, key)
}

func (c *tally) List(ctx context.Context, prefix string) ([]string, error) {
	keys, err := c.Store.List(ctx, prefix)
	c.asked += 1 + len(keys)/keysOfAPage
	c.listed += len(keys)
	if strings.HasSuffix(prefix, "/queue/") {
		c.queued += len(keys)
	}
	return keys, err
}

func (c *tally) First(ctx context.Context, prefix string) (string, error) {
	c.asked++
	c.listed++
	return c.Store.First(ctx, prefix)
}

func (c *tally) Folders(ctx context.Context, prefix string) ([]string, error) {
	c.asked++
	return c.Store.Folders(ctx, prefix)
}

func (c *tally) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	keys, err := c.Store.ListAfter(ctx, prefix, after)
	c.asked += 1 + len(keys)/keysOfAPage
	c.listed += len(keys)
	return keys, err
}

// costs are what the steps of a request ask of the store when others of the same
// customer are open before it and others have come after it.
func costs(t *testing.T, before, after int) map[string]int {
	t.Helper()
	w := pipelinetest.New(t)
	c := &tally{Store: w.Store}
	w.Store = c
	counted := map[string]int{}
	count := func(step string, run func() error) {
		t.Helper()
		c.asked = 0
		if err := run(); err != nil {
			t.Fatalf("%s with %d before: %v", step, before, err)
		}
		counted[step] = c.asked
	}
	send := func() (request pipeline.Request) {
		t.Helper()
		w.Now = w.Now.Add(11 * time.Minute) // no two are so close that their order is asked for
		return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	}
	for range before {
		send()
	}
	var request pipeline.Request
	count("fetch-vars", func() error { request = send(); return nil })
	count("plan", func() error { _, err := w.Plan(request, "staging"); return err })
	count("report", func() error { w.Report(request, false); return nil })
	for range after {
		send()
	}
	// The request has been overtaken: all that is left to do is to say so.
	count("plan, overtaken", func() error { _, _ = w.Plan(request, "production"); return nil })
	count("apply, overtaken", func() error { _, _ = w.Apply(w.Target(request, "staging")); return nil })
	count("report, overtaken", func() error { w.Report(request, true); return nil })
	return counted
}

// TestCostDoesNotGrowWithRequests: what a step asks of the store depends on its own
// request, and not on how many others there were, are open or came later. The bounds
// (a ledger looks back over 100 entries, a new request at 8 older ones) are reached
// by the smaller numbers already.
func TestCostDoesNotGrowWithRequests(t *testing.T) {
	t.Parallel()
	few, many := costs(t, 12, 105), costs(t, 60, 135)
	for step, least := range few {
		if most := many[step]; float64(most) > 1.1*float64(least) {
			t.Errorf("%s asks the store %d times with few other requests and %d times with many", step, least, most)
		}
		if least > 300 {
			t.Errorf("%s asks the store %d times", step, least)
		}
	}
}

// questions counts what is asked of a store, by key or prefix.
type questions struct {
	pipeline.Store
	mu    sync.Mutex
	asked map[string]int
}

func (q *questions) count(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked[what]++
}

func (q *questions) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	q.count("open " + key)
	return q.Store.Open(ctx, key)
}

func (q *questions) List(ctx context.Context, prefix string) ([]string, error) {
	q.count("list " + prefix)
	return q.Store.List(ctx, prefix)
}

func (q *questions) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	q.count("list " + prefix)
	return q.Store.ListAfter(ctx, prefix, after)
}

func (q *questions) First(ctx context.Context, prefix string) (string, error) {
	q.count("first of " + prefix)
	return q.Store.First(ctx, prefix)
}

func (q *questions) Folders(ctx context.Context, prefix string) ([]string, error) {
	q.count("folders " + prefix)
	return q.Store.Folders(ctx, prefix)
}

// TestEachQuestionIsAskedOnce: a step reads an object or a list again only where it must
// see what others have written since.
func TestEachQuestionIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	q := &questions{Store: w.Store}
	w.Store = q
	again := map[string]int{
		"plan list acme/staging/queue/":          2, // a newer request before the plan is made, and after it
		"apply list acme/staging/applied/":       2, // what this apply replaces may be newer than what it was checked against
		"fetch-vars list acme/staging/queue/":    2, // requests beside the new one, and older ones that wait
		"fetch-vars list acme/production/queue/": 2,
	}
	step := func(name string, run func() error) {
		t.Helper()
		q.asked = map[string]int{}
		if err := run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, n := range q.asked {
			allowed := 1
			for prefix, most := range again {
				if strings.HasPrefix(name+" "+what, prefix) {
					allowed = most
				}
			}
			if n > allowed {
				t.Errorf("%s asks %d times: %s", name, n, what)
			}
		}
	}
	for range 2 { // the second request finds what the first has left
		var request pipeline.Request
		w.Now = w.Now.Add(time.Hour)
		step("fetch-vars", func() (err error) {
			request, err = w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
			return err
		})
		step("plan", func() error { _, err := w.Plan(request, "staging"); return err })
		step("apply", func() error { _, err := w.Apply(w.Target(request, "staging")); return err })
		step("report", func() error { w.Report(request, false); return nil })
	}
}

// A plan whose job did not start is not one that was begun and lost.
func TestPlanThatNeverBegan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if got := w.Report(request, true).Targets[0].Message; !strings.Contains(got, "the plan never began") {
		t.Errorf("got %q", got)
	}
}

// closedCosts are what looking at a target costs after that many requests of it were
// planned, applied and closed. production was worked on at first, and is not in the file
// any more.
func closedCosts(t *testing.T, closed int) map[string]int {
	t.Helper()
	w := pipelinetest.New(t)
	c := &tally{Store: w.Store}
	w.Store = c
	send := func(file string) pipeline.Request {
		t.Helper()
		w.Now = w.Now.Add(time.Hour)
		return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(file), "push")))
	}
	for range closed {
		request := send(pipelinetest.BothEnvironments)
		for _, target := range request.Targets {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, target.Environment))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, target.Environment)))
		}
		w.Report(request, true)
	}
	counted := map[string]int{}
	count := func(step string, run func() error) {
		t.Helper()
		c.asked, c.listed, c.queued = 0, 0, 0
		if err := run(); err != nil {
			t.Fatalf("%s after %d: %v", step, closed, err)
		}
		counted[step] = c.asked
		if c.queued > 0 {
			t.Errorf("%s after %d: %d keys of whole queues", step, closed, c.queued)
		}
		if c.listed > 10*closed {
			t.Errorf("%s after %d: %d keys", step, closed, c.listed)
		}
	}
	count("fetch-vars without an environment", func() error {
		if request := send(onlyStaging); len(request.Removed) != 1 {
			t.Errorf("removed: %v", request.Removed)
		}
		return nil
	})
	count("state list, drift", func() error { // what both read of a target beside its state
		_, err := ledger.Remember(t.Context(), record.Records{Store: w.Store, Sealer: w.Sealer}, pipeline.Target{Customer: "acme", Environment: "staging"})
		return err
	})
	count("sweep", func() error { w.Sweep(&pipelinetest.StateLocks{}, false); return nil })
	return counted
}

// TestCostDoesNotGrowWithClosedRequests: what was applied long ago costs nothing. The keys
// of the applies of a target grow with the applies, by their nature: lists return few of
// each, and a bucket bills a thousand of them as one page.
func TestCostDoesNotGrowWithClosedRequests(t *testing.T) {
	t.Parallel()
	few, many := closedCosts(t, 20), closedCosts(t, 40)
	for step, least := range few {
		if most := many[step]; float64(most) > 1.1*float64(least)+2 {
			t.Errorf("%s: %d after few requests and %d after many", step, least, most)
		}
	}
}
