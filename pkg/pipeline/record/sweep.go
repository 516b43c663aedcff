package record

import (
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
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
