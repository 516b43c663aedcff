package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// rank settles the order of a request and those that were pushed to its branch at
// about the same time. It comes after the request has been written: of two that
// are accepted at once, at least one sees the other.
func (f *FetchVars) rank(ctx context.Context, request pipeline.Request) error {
	newer := map[pipeline.RequestID]bool{} // verdicts: the request is newer than this one
	for _, t := range request.Targets {
		if !request.Applies(t.Target) || request.Event != "push" {
			continue
		}
		queue := record.QueueOf(t.Target)
		keys, err := f.Store.ListAfter(ctx, queue.Prefix, queue.Prefix+pipeline.OrderStart(record.OrderTime(queue.Own(request)).Add(-record.RankDoubt)))
		if err != nil {
			return fmt.Errorf("look for requests beside %s: %w", request.ID.Short(), err)
		}
		for _, id := range beside(keys, queue.Own(request), request.ID) {
			other, err := record.LoadRequest(ctx, f.records(), request.Customer, id)
			if errors.Is(err, pipeline.ErrNotFound) {
				continue
			}
			if errors.Is(err, pipeline.ErrUnknownKey) {
				return unranked(err, request, id, keys)
			}
			if err != nil {
				return record.TamperedOr(err, fmt.Sprintf("the record of request %s, which was pushed at about the same time as %s,", id.Short(), request.ID.Short()))
			}
			if !queue.Holds(other) || other.Event != "push" || other.Branch != request.Branch || other.Commit == request.Commit || other.Repository.ID != request.Repository.ID {
				continue
			}
			wins, asked := newer[id]
			if !asked {
				if wins, err = f.isDescendant(ctx, request, other); err != nil {
					return err
				}
				newer[id] = wins
			}
			winner, loser := request, other
			if !wins {
				winner, loser = other, request
			}
			if err := f.promote(ctx, queue, keys, winner, loser); err != nil {
				return err
			}
		}
	}
	return nil
}

// unranked refuses a request whose place beside another one cannot be known, since the
// key of that one is not at hand. A push that comes later is not compared with it.
func unranked(err error, request pipeline.Request, other pipeline.RequestID, keys []string) error {
	what := fmt.Sprintf("the record of request %s, which was pushed at about the same time as %s,", other.Short(), request.ID.Short())
	refused := record.TamperedOr(err, what)
	var known *pipeline.RefusedError
	if !errors.As(refused, &known) {
		return refused
	}
	var last time.Time
	for _, key := range keys {
		if id, _ := record.EntryOf(key); id == other {
			last = record.OrderTime(key)
		}
	}
	after := *known
	after.Operator = fmt.Sprintf("add the key of that id behind the first one and run this again; where the key is gone, let the customer push again after %s: then the "+
		"two are not compared", last.Add(record.RankDoubt).UTC().Format(time.RFC3339))
	return &after
}

// beside are the requests of an index that lie close to key, the nearest first.
func beside(keys []string, key string, id pipeline.RequestID) []pipeline.RequestID {
	at := record.OrderTime(key)
	away := func(k string) time.Duration { return record.OrderTime(k).Sub(at).Abs() }
	near := slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		other, known := record.EntryOf(k)
		return !known || other == id || away(k) > record.RankDoubt
	})
	slices.SortStableFunc(near, func(a, b string) int { return int(away(a) - away(b)) })
	var ids []pipeline.RequestID
	for _, k := range near {
		if other, _ := record.EntryOf(k); !slices.Contains(ids, other) && len(ids) < record.RankAsked {
			ids = append(ids, other)
		}
	}
	return ids
}

// isDescendant reports whether request is newer than other by their commits, or, where
// these do not decide, by their order.
func (f *FetchVars) isDescendant(ctx context.Context, request, other pipeline.Request) (bool, error) {
	repo := request.Repository.Slug
	ahead, behind, err := f.GitHub.Compare(ctx, repo, other.Commit, request.Commit)
	gone := pipeline.NotVisible(err) || pipeline.Gone(err)
	if err != nil && !gone {
		return false, fmt.Errorf("compare %s with %s of %s: %w", other.Commit.Short(), request.Commit.Short(), repo, err)
	}
	if !gone && ahead != behind {
		return ahead, nil
	}
	stays, err := f.GitHub.Reachable(ctx, repo, request.Branch, other.Commit)
	if err != nil {
		return false, fmt.Errorf("ask whether %s is still on branch %q of %s: %w", other.Commit.Short(), request.Branch, repo, err)
	}
	// That the request itself is on its branch was part of its proof.
	return !stays || request.Order() > other.Order(), nil
}

// promote puts the winner right behind the loser, unless it is there already.
func (f *FetchVars) promote(ctx context.Context, queue record.Index, keys []string, winner, loser pipeline.Request) error {
	ahead, err := queue.Highest(ctx, f.records(), keys, loser)
	if err != nil {
		return err
	}
	if at, err := queue.Highest(ctx, f.records(), keys, winner); err != nil || at > ahead {
		return err
	}
	f.Logf("request %s is newer than request %s: its commit %s came after %s", winner.ID.Short(), loser.ID.Short(), winner.Commit.Short(), loser.Commit.Short())
	err = queue.Promote(ctx, f.records(), queue.Behind(ahead, winner), winner.ID)
	if err != nil {
		return fmt.Errorf("note that request %s is newer than %s: %w", winner.ID.Short(), loser.ID.Short(), err)
	}
	return nil
}
