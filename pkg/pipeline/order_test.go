package pipeline

import (
	"slices"
	"testing"
)

// TestInPromotionOrder: the order of metapipe.yml, and what it does not name at the end.
func TestInPromotionOrder(t *testing.T) {
	t.Parallel()
	m := Manager{Environments: []EnvironmentRule{{Name: "staging"}, {Name: "live"}, {Name: "dr"}}}
	stored := []Environment{"canary", "dr", "live", "old", "staging"}
	if got, want := m.InPromotionOrder(stored), []Environment{"staging", "live", "dr", "canary", "old"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if stored[0] != "canary" {
		t.Errorf("the list itself changed: %v", stored)
	}
}
