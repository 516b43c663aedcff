package pipeline_test

import (
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestSameRun: a manual request has another id in each attempt of its run.
func TestSameRun(t *testing.T) {
	t.Parallel()
	slug := pipeline.Slug{Owner: "ops", Name: "manager"}
	run := pipeline.Run{Repository: slug, ID: 7, Attempt: 3}
	own := pipeline.ManualID(slug, 7, 3)
	got := pipeline.Request{ID: own, Event: pipeline.EventManual}.SameRun(run)
	if want := []pipeline.RequestID{own, pipeline.ManualID(slug, 7, 1), pipeline.ManualID(slug, 7, 2)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := (pipeline.Request{ID: own, Event: "push"}).SameRun(run); !slices.Equal(got, []pipeline.RequestID{own}) {
		t.Errorf("a dispatched request has %v", got)
	}
}
