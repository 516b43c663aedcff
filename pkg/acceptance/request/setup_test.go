package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestTrafficIsValidated shows whether the requests of the commands were checked
// against GitHub's API description.
func TestTrafficIsValidated(t *testing.T) {
	t.Parallel()
	hubtest.Require(t)
}
