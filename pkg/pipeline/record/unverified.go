package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Unverified is the record of a request that nobody is answered for: only the
// manager sees it.
type Unverified struct {
	Reason  pipeline.Reason `json:"reason"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Run     pipeline.Run    `json:"run"`
	At      time.Time       `json:"at"`
}

func UnverifiedKey(run pipeline.Run) string {
	return fmt.Sprintf("_metapipe/rejected/%d-%d.json", run.ID, run.Attempt)
}
