package record

import (
	"slices"
	"strings"
)

// KeptStates returns the requests whose state waits to be brought back, out of the
// keys of one target, in their order.
func KeptStates(keys []string) []string {
	var kept []string
	for _, key := range keys {
		folder, ok := strings.CutSuffix(key, ObjectErrored)
		if parts := strings.Split(key, "/"); ok && len(parts) == 6 && !slices.Contains(keys, folder+ObjectRecovered) {
			kept = append(kept, parts[3])
		}
	}
	return kept
}
