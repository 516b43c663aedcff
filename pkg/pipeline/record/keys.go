package record

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The store layout. Keys of different customers share no prefix.

// RequestKey is the key of the record of a request.
func RequestKey(c pipeline.CustomerName, id pipeline.RequestID) string {
	return fmt.Sprintf("%s/requests/%s.json", c, id)
}

// RequestsLike returns the ids of a customer's requests that begin with short, in
// ascending order. short is 8 or more characters of an id, as statuses, comments and
// the ledger print them.
func RequestsLike(ctx context.Context, s pipeline.Store, c pipeline.CustomerName, short string) ([]pipeline.RequestID, error) {
	keys, err := s.List(ctx, fmt.Sprintf("%s/requests/%s", c, short))
	if err != nil {
		return nil, fmt.Errorf("look for requests that begin with %s: %w", short, err)
	}
	var ids []pipeline.RequestID
	for _, key := range keys {
		if id, is := RequestOf(c, key); is {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// PlansPrefix holds one numbered folder for each time the target of a request
// was planned, since a job may be run again.
func PlansPrefix(t pipeline.Target, id pipeline.RequestID) string {
	return fmt.Sprintf("%s/plans/%s/", t.Folder(), id)
}

// KeptRequestPrefix holds the states of a request that could not be written, in folders
// numbered as those of its plans. They lie beside the plans since those are removed
// after their time, and these may be the only record of what was made.
func KeptRequestPrefix(t pipeline.Target, id pipeline.RequestID) string {
	return KeptPrefix(t) + string(id) + "/"
}

// KeptPrefix holds the kept states of all requests of a target.
func KeptPrefix(t pipeline.Target) string {
	return fmt.Sprintf("%s/kept/", t.Folder())
}

// ReplacedState is where an object is kept that lay in the place of a state when another
// one was restored there.
func ReplacedState(t pipeline.Target, at time.Time) string {
	return fmt.Sprintf("%s/replaced/%s.json", t.Folder(), at.UTC().Format(LastApplyTimes))
}

// QueuePrefix holds the requests of a target.
func QueuePrefix(t pipeline.Target) string {
	return fmt.Sprintf("%s/queue/", t.Folder())
}

// LedgerPrefix is where a ledger lies. Without an environment it is that of what
// was asked in a customer's name and not accepted; without a customer that of
// requests with an unverified origin.
func LedgerPrefix(t pipeline.Target) string {
	switch {
	case t.Customer == "":
		return "_metapipe/ledger/"
	case t.Environment == "":
		return fmt.Sprintf("%s/ledger/", t.Customer)
	}
	return fmt.Sprintf("%s/ledger/", t.Folder())
}

// LedgerKey is the key of one entry of a ledger; sequence begins at 1. The number in front of it
// counts down, so that the newest entry is the first that a list of the ledger returns.
func LedgerKey(t pipeline.Target, sequence int) string {
	return fmt.Sprintf("%s%010d-%d.json", LedgerPrefix(t), lastEntry-sequence, sequence)
}

const lastEntry = 9_999_999_999

// LedgerSequence is the number of the entry of a ledger that has the key; false where that is the
// key of none.
func LedgerSequence(t pipeline.Target, key string) (sequence int, is bool) {
	_, digits, _ := strings.Cut(strings.TrimPrefix(key, LedgerPrefix(t)), "-")
	sequence, err := strconv.Atoi(strings.TrimSuffix(digits, ".json"))
	return sequence, err == nil && sequence > 0 && key == LedgerKey(t, sequence)
}
