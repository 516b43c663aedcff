package record

import (
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// SyncPrefix holds what the runs of sync have left: records of the fleet, of which the newest one counts.
const SyncPrefix = "_metapipe/sync/"

// SyncKey is the key of what a run has left.
func SyncKey(at time.Time, id pipeline.RequestID) string {
	return fmt.Sprintf("%s%s-%s.json", SyncPrefix, at.UTC().Format(pipeline.OrderTimes), id.Short())
}
