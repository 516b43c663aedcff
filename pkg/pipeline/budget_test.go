package pipeline

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]Budget{
		"0 reads, 0 writes":                            {},
		"1 read, 1 write":                              {Reads: 1, Writes: 1},
		"5 reads (3 unchanged, free), 2 writes":        {Reads: 5, Unchanged: 3, Writes: 2},
		"5 reads, 2 writes, 1 sent again, waited 1.5s": Budget{Reads: 2, Writes: 2}.Add(Budget{Reads: 3, Retries: 1, Waited: 1499 * time.Millisecond}),
	} {
		if got := b.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
