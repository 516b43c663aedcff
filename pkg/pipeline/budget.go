package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// Budget is what one command has asked of GitHub. Requests that were sent again
// count each time.
type Budget struct {
	Reads     int           `json:"reads"`     // requests that change nothing
	Unchanged int           `json:"unchanged"` // of the reads: "304 Not Modified", which costs no rate limit
	Writes    int           `json:"writes"`    // requests that change something
	Retries   int           `json:"retries"`   // of both: sent again after a failure or a limit
	Waited    time.Duration `json:"waited_ns"` // for limits, between attempts and between writes
}

// Add returns the sum of two budgets.
func (b Budget) Add(o Budget) Budget {
	return Budget{b.Reads + o.Reads, b.Unchanged + o.Unchanged, b.Writes + o.Writes, b.Retries + o.Retries, b.Waited + o.Waited}
}

// String is such as "12 reads (4 unchanged, free), 3 writes, 1 sent again, waited 2s".
func (b Budget) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s", counted(b.Reads, "read"))
	if b.Unchanged > 0 {
		fmt.Fprintf(&out, " (%d unchanged, free)", b.Unchanged)
	}
	fmt.Fprintf(&out, ", %s", counted(b.Writes, "write"))
	if b.Retries > 0 {
		fmt.Fprintf(&out, ", %d sent again", b.Retries)
	}
	if b.Waited > 0 {
		fmt.Fprintf(&out, ", waited %s", b.Waited.Round(100*time.Millisecond))
	}
	return out.String()
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
