package render

import (
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// draft is the section of one target while its parts are written.
type draft struct {
	t     pipeline.TargetReport
	d     digest
	head  string
	parts [partCount]string
}

// The parts of a section, in the order of reading.
const (
	partProblems = iota
	partDone
	partOutputs
	partFacts
	partChanges
	partComposed
	partCount
)

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
