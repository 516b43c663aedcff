package scans

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

func (k keyList) First(ctx context.Context, prefix string) (string, error) {
	found, err := k.List(ctx, prefix)
	if len(found) == 0 {
		return "", err
	}
	return found[0], err
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
		record.QueueOf(at(1).Customer.In("old")).Own(at(1)), record.QueueOf(at(1).Customer.In("new")).Own(at(1)), record.QueueOf(at(9).Customer.In("new")).Own(at(9)),
		record.LastApplyPrefix(pipeline.Target{Customer: "applied", Environment: "old"}) + "20300101T000000.000000000Z-x.json",
		record.LastApplyPrefix(pipeline.Target{Customer: "applied", Environment: "new"}) + "20300101T000000.000000000Z-x.json", record.LastApplyPrefix(pipeline.Target{Customer: "applied", Environment: "new"}) + "20300108T000000.000000000Z-x.variables",
		record.LastApplyPrefix(pipeline.Target{Customer: "applied", Environment: "odd"}) + "someday.json",
	}}
	var targets []Target
	for _, name := range []string{"asked/old", "asked/new", "applied/old", "applied/new", "applied/odd", "quiet/new"} {
		customer, env, _ := strings.Cut(name, "/")
		targets = append(targets, Target{Target: pipeline.Target{Customer: pipeline.CustomerName(customer), Environment: pipeline.Environment(env)}})
	}
	found, err := changedSince(t.Context(), store, targets, time.Date(2030, 1, 8, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Target.String())
	}
	if want := []string{"asked/new", "applied/new", "applied/odd"}; !slices.Equal(names, want) {
		t.Errorf("found %v, want %v", names, want)
	}
	broken := errors.New("no answer")
	if _, err := changedSince(t.Context(), keyList{err: broken}, targets, time.Time{}); !errors.Is(err, broken) {
		t.Errorf("a store that does not answer: %v", err)
	}
}

// unreadTarget is a store that cannot list what lies under a prefix.
type unreadTarget struct {
	keyList
	prefix string
}

func (u unreadTarget) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	if strings.HasPrefix(prefix, u.prefix) {
		return nil, errors.New("access denied")
	}
	return u.keyList.ListAfter(ctx, prefix, after)
}

// TestChangedSinceIsUnknown: a target that cannot be read may have changed, and hides no
// other one. A store that cannot be read at all is an error.
func TestChangedSinceIsUnknown(t *testing.T) {
	t.Parallel()
	targets := []Target{{Target: pipeline.Target{Customer: "a", Environment: "staging"}}, {Target: pipeline.Target{Customer: "b", Environment: "staging"}}, {Target: pipeline.Target{Customer: "c", Environment: "staging"}}}
	store := keyList{keys: []string{record.LastApplyPrefix(pipeline.Target{Customer: "c", Environment: "staging"}) + "20300108T000000.000000000Z-x.json"}}
	since := time.Date(2030, 1, 5, 0, 0, 0, 0, time.UTC)
	left, err := changedSince(t.Context(), unreadTarget{store, "a/"}, targets, since)
	if err != nil || len(left) != 2 || left[0].Customer != "a" || left[1].Customer != "c" {
		t.Errorf("%v, %v", left, err)
	}
	if left, err := changedSince(t.Context(), unreadTarget{store, ""}, targets, since); err == nil {
		t.Errorf("nothing could be read, and it gave %v", left)
	}
}
