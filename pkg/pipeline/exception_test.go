package pipeline

import (
	"slices"
	"testing"
	"time"
)

// TestRulesAreAnnounced: a rule is announced 14 days before its end, and reported as expired from its end on.
func TestRulesAreAnnounced(t *testing.T) {
	t.Parallel()
	end := time.Date(2030, 7, 1, 0, 0, 0, 0, time.UTC)
	rule := IgnoreRule{Address: "a.b", Exception: Exception{Reason: "known", Owner: "jo", Until: end, Where: Position{File: "metapipe.yml", Line: 3, Column: 5}}}
	customers := []Customer{{Manager: Manager{Drift: DriftRules{Ignore: []IgnoreRule{rule}}}}, {Manager: Manager{Drift: DriftRules{Ignore: []IgnoreRule{rule}}}}}
	named := []string{"metapipe.yml:3:5: a.b (of jo, until 2030-06-30: known)"}
	for before, want := range map[time.Duration][2][]string{
		14*24*time.Hour + 1: {nil, nil}, 14 * 24 * time.Hour: {named, nil}, 1: {named, nil}, 0: {nil, named}, -time.Hour: {nil, named},
	} {
		now := end.Add(-before)
		if ending, expired := EndingRules(customers, now), ExpiredRules(customers, now); !slices.Equal(ending, want[0]) || !slices.Equal(expired, want[1]) {
			t.Errorf("%s before the end: %q end, %q have ended", before, ending, expired)
		}
	}
}
