package record

import (
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// DriftLastApply is the last apply of a target that went well.
type DriftLastApply struct {
	Request       pipeline.RequestID `json:"request"`
	Commit        pipeline.SHA       `json:"commit"`
	Blob          pipeline.SHA       `json:"blob"`
	ManagerCommit pipeline.SHA       `json:"manager_commit"`
	Actor         string             `json:"actor,omitempty"`
	RunURL        string             `json:"run_url,omitempty"`
	At            time.Time          `json:"at"`
}
