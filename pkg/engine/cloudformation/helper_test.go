package cloudformation

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func storedOf(t *testing.T, planned pipeline.Planned) pipeline.StoredPlan {
	t.Helper()
	return enginetest.Stored(t, planned)
}
