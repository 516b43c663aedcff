package startup

import (
	"runtime/debug"
	"testing"
)

func TestDoneRestoresTheUsualPace(t *testing.T) {
	Done()
	if got := debug.SetGCPercent(usual); got != usual {
		t.Errorf("the collector runs at %d %%, want %d %%", got, usual)
	}
}
