package record

import (
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GitHub gives the creation of a run in seconds and promises nothing about the
// order of the runs of two pushes. So the order of two pushes to one branch that lie
// close together is asked of the commits: the descendant is the newer one, and where
// history was rewritten, the one that the branch still leads to.
//
// The verdict is an entry of the winner in the queue of the target, right behind
// that of the loser, sealed as a record. Every later step reads the queue alone, so
// that all agree.

const (
	RankDoubt = 10 * time.Minute // how close two runs are whose order is asked for
	RankAfter = 2 * RankDoubt    // how long a request is asked about: also by one that waited for its job
	RankAsked = 4                // how many others are asked about, the nearest first
)

// OrderTime reads the time out of the key of an index.
func OrderTime(key string) time.Time {
	const rest = 1 + 20 + 1 + 6 + 1 + 36
	if at := len(key) - rest; at >= len(pipeline.OrderTimes) {
		if t, err := time.Parse(pipeline.OrderTimes, key[at-len(pipeline.OrderTimes):at]); err == nil {
			return t
		}
	}
	return time.Time{}
}
