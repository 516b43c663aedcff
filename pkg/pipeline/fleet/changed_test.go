package fleet

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// keyList is a store of which only the keys are of interest.
type keyList struct {
	pipeline.Store
	keys []string
	err  error
}

func (k keyList) List(_ context.Context, prefix string) ([]string, error) {
	var found []string
	for _, key := range k.keys {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found, k.err
}

func (k keyList) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	found, err := k.List(ctx, prefix)
	return slices.DeleteFunc(found, func(key string) bool { return key <= after }), err
}

func (k keyList) Folders(context.Context, string) ([]string, error) { return nil, k.err }

func (k keyList) Open(context.Context, string) (io.ReadCloser, error) {
	return nil, pipeline.ErrNotFound
}

func TestChangedSince(t *testing.T) {
	t.Parallel()
	at := func(day int) pipeline.Request {
		return pipeline.Request{ID: pipeline.NewRequestID(), Customer: "asked", CustomerRun: pipeline.Run{ID: 7, Attempt: 1, CreatedAt: time.Date(2030, 1, day, 0, 0, 0, 0, time.UTC)}}
	}
	store := keyList{keys: []string{
		record.QueueKey(at(1), "old"), record.QueueKey(at(1), "new"), record.QueueKey(at(9), "new"),
		record.LastApplyPrefix("applied", "old") + "20300101T000000.000000000Z-x.json",
		record.LastApplyPrefix("applied", "new") + "20300101T000000.000000000Z-x.json", record.LastApplyPrefix("applied", "new") + "20300108T000000.000000000Z-x.variables",
		record.LastApplyPrefix("applied", "odd") + "someday.json",
	}}
	var targets []Target
	for _, name := range []string{"asked/old", "asked/new", "applied/old", "applied/new", "applied/odd", "quiet/new"} {
		customer, env, _ := strings.Cut(name, "/")
		targets = append(targets, Target{Customer: pipeline.CustomerName(customer), Environment: pipeline.Environment(env)})
	}
	found, err := changedSince(t.Context(), store, targets, time.Date(2030, 1, 8, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, pipeline.TargetName(f.Customer, f.Environment))
	}
	if want := []string{"asked/new", "applied/new", "applied/odd"}; !slices.Equal(names, want) {
		t.Errorf("found %v, want %v", names, want)
	}
	broken := errors.New("no answer")
	if _, err := changedSince(t.Context(), keyList{err: broken}, targets, time.Time{}); !errors.Is(err, broken) {
		t.Errorf("a store that does not answer: %v", err)
	}
}
