package firstcollection

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func target() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestUsualTarget: the first collection restores the target that Go starts with.
func TestUsualTarget(t *testing.T) {
	runtime.GC()
	for end := time.Now().Add(10 * time.Second); target() == percent; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the target is %d%% after a collection", target())
		}
	}
	if got := target(); got != 100 {
		t.Errorf("the target is %d%%, not Go's 100%%", got)
	}
}
