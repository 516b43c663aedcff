package pipeline

import (
	"slices"
	"time"
)

// ExpiredRules names the rules that hide nothing any more, each once.
func ExpiredRules(customers []Customer, now time.Time) []string {
	return ignoreRules(customers, func(r IgnoreRule) bool { return r.Expired(now) })
}

// EndingRules names the rules that hide nothing soon, each once.
func EndingRules(customers []Customer, now time.Time) []string {
	return ignoreRules(customers, func(r IgnoreRule) bool { return r.EndsSoon(now) })
}

func ignoreRules(customers []Customer, which func(IgnoreRule) bool) []string {
	var names []string
	for _, c := range customers {
		for _, rule := range c.Manager.Drift.Ignore {
			if which(rule) {
				names = append(names, rule.String())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
