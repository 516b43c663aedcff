package cloudformation

import (
	"context"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func storedOf(t *testing.T, planned pipeline.Planned) pipeline.StoredPlan {
	t.Helper()
	return enginetest.Stored(t, planned)
}

// contextOf is cancelled when something has happened.
func contextOf(t *testing.T, happened func() bool) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !happened() && ctx.Err() == nil {
			time.Sleep(2 * time.Millisecond)
		}
		cancel()
	}()
	return ctx, cancel
}
