//go:build !linux

package bench

import "testing"

// peakMemory is known only where the kernel tells it of a single process.
func (b *bench) peakMemory(t *testing.T, _ []string) (peak float64, known bool) {
	t.Log("own peak memory is measured on Linux only")
	return 0, false
}

func highWaterMark(*testing.T, []byte) float64 { return 0 }
