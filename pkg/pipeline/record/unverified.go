package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// UnverifiedRequest is the record of a request without a verified origin: only the
// manager sees it.
type UnverifiedRequest struct {
	Reason  pipeline.Reason `json:"reason"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Run     pipeline.Run    `json:"run"`
	At      time.Time       `json:"at"`
}

// UnverifiedKey is the key of the record of a request that run could not verify.
func UnverifiedKey(run pipeline.Run) string {
	return fmt.Sprintf("_metapipe/rejected/%d-%d.json", run.ID, run.Attempt)
}
