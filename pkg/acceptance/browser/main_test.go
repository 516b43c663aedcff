package browser

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

func TestMain(m *testing.M) { fixture.Main(m) }
