package compliance

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const oneDay = 24 * time.Hour

// after scans a fleet some days later, with the history of the scan before.
func after(t *testing.T, g *github, earlier History, days int, change func(*Scan)) (Report, History) {
	t.Helper()
	r := rules
	r.Properties = slices.Clone(rules.Properties)
	r.Properties[1].MaxAge = 90 // team_owner
	s := scan(g, r)
	s.Now, s.Earlier = now.Add(time.Duration(days)*oneDay), &earlier
	if change != nil {
		change(s)
	}
	report, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := s.Next(report)
	raw, err := json.Marshal(next) // as the store keeps it
	if err != nil {
		t.Fatal(err)
	}
	var kept History
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	return report, kept
}

func stale(r Report) (names []string) {
	for _, f := range r.Findings {
		if f.Rule == RuleStaleValue {
			names = append(names, f.Repository.Name)
		}
	}
	return names
}

// TestStaleValues: a value is stale when scans have seen it for longer than it may stay, and not before. A change
// and only that makes it young again.
func TestStaleValues(t *testing.T) {
	t.Parallel()
	g := fleet()
	first, history := after(t, g, History{Version: 1}, 0, nil)
	almost, history := after(t, g, history, 89, nil)
	if got := append(stale(first), stale(almost)...); len(got) > 0 {
		t.Errorf("stale too early: %q", got)
	}
	g.repos["acme"][0] = repo(1, "renamed", `{"repo_content_type":["app"],"team_owner":"web","security_contact":"y"}`, "src/") // another name, and another property
	g.repos["acme"][5] = repo(6, "reader", `{"repo_content_type":["app"],"team_owner":"web","security_contact":"x"}`, "src/")
	late, history := after(t, g, history, 90, nil)
	if got := stale(late); !slices.Equal(got, []string{"content", "dark", "free", "infra", "renamed", "teams", "values"}) {
		t.Errorf("stale: %q", got)
	}
	if young, _ := after(t, g, history, 179, nil); slices.Contains(stale(young), "reader") {
		t.Error("a value that has changed is stale")
	}
	if old, _ := after(t, g, history, 180, nil); !slices.Contains(stale(old), "reader") {
		t.Error("a value that has not changed since is not stale")
	}
	if none, err := scan(g, rules).Run(t.Context()); err != nil || len(stale(none)) > 0 || none.Trend != nil {
		t.Errorf("%v: without earlier scans, something is stale or there is a trend", err)
	}
}

// TestAgeSurvivesWhatCannotBeRead: neither a repository that was not read nor one that was left out loses its
// age. Only a scan that knows of all forgets one that is gone.
func TestAgeSurvivesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	known := fleet()
	known.repos["acme"] = known.repos["acme"][:8]
	_, history := after(t, known, History{Version: 1}, 0, nil)
	gone := fleet()
	gone.repos["acme"] = slices.Delete(gone.repos["acme"][:8:8], 3, 4)
	hidden := fleet()
	hidden.repos["acme"] = hidden.repos["acme"][:8]
	hidden.repos["acme"][3].Properties = pipeline.Properties{}
	for name, c := range map[string]struct {
		github *github
		change func(*Scan)
		kept   bool
	}{
		"read":       {known, nil, true},
		"not read":   {hidden, nil, true},
		"filtered":   {known, func(s *Scan) { s.Repository = "bare" }, true},
		"limited":    {known, func(s *Scan) { s.Limit = 1 }, true},
		"gone":       {gone, nil, false},
		"part of it": {gone, func(s *Scan) { s.Limit = 1 }, true},
	} {
		_, next := after(t, c.github, history, 10, c.change)
		value, kept := next.Values[4]["team_owner"]
		if kept != c.kept || kept && !value.Since.Equal(now) {
			t.Errorf("%s: kept %v since %s", name, kept, value.Since)
		}
	}
}

// TestTrend: one entry for each day, of whole scans alone, and a bounded number of them.
func TestTrend(t *testing.T) {
	t.Parallel()
	g := fleet()
	var history History
	for day := range 100 {
		_, history = after(t, g, history, day, nil)
		_, history = after(t, g, history, day, func(s *Scan) { s.Now = s.Now.Add(time.Hour) })
		_, history = after(t, g, history, day, func(s *Scan) { s.Limit = 1 })
	}
	if len(history.Days) != maxDays || history.Days[0].Day != "2030-01-25" || history.Days[maxDays-1].Day != "2030-04-24" {
		t.Fatalf("%d days, from %s to %s", len(history.Days), history.Days[0].Day, history.Days[len(history.Days)-1].Day)
	}
	last := history.Days[maxDays-1]
	if last.Repositories != 12 || last.Unknown != 4 || last.Findings[Critical] != 2 || len(slices.Collect(maps.Keys(last.Findings))) != 4 {
		t.Errorf("%+v", last)
	}
	report, _ := after(t, g, history, 99, nil)
	if len(report.Trend) != maxDays-1 || report.Trend[maxDays-2].Day != "2030-04-23" {
		t.Errorf("the trend before has %d days", len(report.Trend))
	}
}
