package pipeline

import (
	"slices"
	"time"
)

// ExpiredRules names the rules that hide nothing any more, each once.
func ExpiredRules(customers []Customer, now time.Time) []string {
	var names []string
	for _, c := range customers {
		for _, rule := range c.Manager.Drift.Ignore {
			if rule.Expired(now) {
				names = append(names, rule.String())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
