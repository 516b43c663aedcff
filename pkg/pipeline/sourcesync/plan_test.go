package sourcesync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// hub is an organization with repositories.
type hub struct {
	repos []sourcesync.Repository
	calls int
}

func (h *hub) Repositories(context.Context, string) ([]sourcesync.Repository, error) {
	h.calls++
	return h.repos, nil
}

func (h *hub) PropertyDefinitions(context.Context, pipeline.Slug) ([]pipeline.PropertyDefinition, error) {
	h.calls++
	return []pipeline.PropertyDefinition{
		{Name: "Customer_Tier", Type: pipeline.PropertySingleSelect, Allowed: []string{"free", "enterprise"}},
		{Name: "team_owner", Type: pipeline.PropertyString},
		{Name: "tools", Type: pipeline.PropertyMultiSelect, Allowed: []string{"terraform", "ansible"}},
	}, nil
}

// repo is a repository of acme with values, as JSON of an object.
func repo(id int64, name, values string) sourcesync.Repository {
	r := sourcesync.Repository{Repository: pipeline.Repository{ID: id, Slug: pipeline.Slug{Owner: "acme", Name: name}}}
	r.Properties, r.Err = pipeline.ParseProperties(json.RawMessage(values))
	return r
}

// list is a source in memory. It ends with fault after so many records.
type list struct {
	records []sourcesync.Record
	fault   error
	after   int
}

func (l list) Records(context.Context) iter.Seq2[sourcesync.Record, error] {
	return func(yield func(sourcesync.Record, error) bool) {
		for i, r := range l.records {
			if l.fault != nil && i == l.after {
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if l.fault != nil {
			yield(sourcesync.Record{}, l.fault)
		}
	}
}

func rows(pairs ...string) list {
	var l list
	for i := 0; i+1 < len(pairs); i += 2 {
		l.records = append(l.records, sourcesync.Record{Where: fmt.Sprintf("line %d", i/2+2), Key: pairs[i], Fields: map[string]sourcesync.Value{"v": {Text: pairs[i+1]}}})
	}
	return l
}

func source(name, property string, more ...func(*sourcesync.SourceConfig)) sourcesync.SourceConfig {
	c := sourcesync.SourceConfig{Name: name, Type: sourcesync.CSV, Key: sourcesync.KeyRepository, KeyField: "repo", Fields: []sourcesync.Field{{Property: property, From: "v", OnMissing: sourcesync.MissingKeep}}}
	for _, m := range more {
		m(&c)
	}
	return c
}

func rule(name string, sources ...string) sourcesync.PropertyRule {
	return sourcesync.PropertyRule{Name: name, Sources: sources, OnConflict: sourcesync.First, ChangedByHand: sourcesync.BySource}
}

// run makes a plan of sources in memory.
func run(t *testing.T, s *sourcesync.Sync, of map[string]list) (got string, r sourcesync.Result) {
	t.Helper()
	s.Config.Organizations, s.Config.MaxChange = []string{"acme"}, 100
	s.Connect = func(c sourcesync.SourceConfig) (sourcesync.Source, error) { return of[c.Name], nil }
	if s.Book.Version == 0 {
		s.Book = sourcesync.Book{Version: 1}
	}
	r, err := s.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return written(r), r
}

func written(r sourcesync.Result) string {
	var words []string
	for _, row := range r.Plan.Rows {
		words = append(words, fmt.Sprintf("%s %s %s→%s (%s)", row.Name, row.What, row.Old, row.New, row.Reason))
	}
	for _, f := range r.Report.Findings {
		words = append(words, fmt.Sprintf("%s %s", f.Kind, f.Repository))
	}
	for _, s := range r.Report.Sources {
		if s.Reason != "" {
			words = append(words, s.Name+" out")
		}
	}
	return strings.Join(words, "; ")
}

func three() *hub {
	return &hub{repos: []sourcesync.Repository{repo(1, "a", `{}`), repo(2, "b", `{"Customer_Tier":"free","team_owner":"web"}`), repo(3, "c", `{"Customer_Tier":"enterprise"}`)}}
}

// TestPlan: who gives a value, in which order, and what is said of the rest.
func TestPlan(t *testing.T) {
	t.Parallel()
	left := func(pairs ...string) sourcesync.Book {
		b := sourcesync.Book{Version: 1, Rows: map[string]int{}, Values: map[string]map[string]json.RawMessage{}}
		for i := 0; i+2 < len(pairs); i += 3 {
			b.Values[pairs[i]] = map[string]json.RawMessage{pairs[i+1]: json.RawMessage(pairs[i+2])}
		}
		return b
	}
	one := sourcesync.Config{Sources: []sourcesync.SourceConfig{source("billing", "customer_tier")}, Properties: []sourcesync.PropertyRule{rule("customer_tier", "billing")}}
	field := func(do func(*sourcesync.Field)) sourcesync.Config {
		c := source("billing", "customer_tier")
		do(&c.Fields[0])
		return sourcesync.Config{Sources: []sourcesync.SourceConfig{c}, Properties: one.Properties}
	}
	both := func(do func(*sourcesync.PropertyRule)) sourcesync.Config {
		r := rule("team_owner", "ldap", "teams")
		do(&r)
		return sourcesync.Config{Sources: []sourcesync.SourceConfig{source("teams", "team_owner"), source("ldap", "team_owner")}, Properties: []sourcesync.PropertyRule{r}}
	}
	byHand := func(p string) sourcesync.Config {
		r := rule("customer_tier", "billing")
		r.ChangedByHand = p
		return sourcesync.Config{Sources: one.Sources, Properties: []sourcesync.PropertyRule{r}}
	}
	asIs := func(*sourcesync.PropertyRule) {}
	for name, c := range map[string]struct {
		sync sourcesync.Sync
		of   map[string]list
		want string
	}{
		"a value": {sourcesync.Sync{Config: one}, map[string]list{"billing": rows("ACME/A", "free", "acme/b", "free", "acme/c", "enterprise")}, `acme/a Customer_Tier null→"free" (billing)`},
		"transforms": {sourcesync.Sync{Config: field(func(f *sourcesync.Field) {
			f.Trim, f.Lower, f.Map = true, true, map[string]string{"gold": "enterprise"}
		})},
			map[string]list{"billing": rows("acme/a", " GOLD ", "acme/b", "silver", "acme/c", " ")}, `acme/a Customer_Tier null→"enterprise" (billing); invalid acme/b`},
		"not allowed":  {sourcesync.Sync{Config: one}, map[string]list{"billing": rows("acme/a", "platinum", "acme/b", "free", "acme/c", "enterprise")}, `invalid acme/a`},
		"unmatched":    {sourcesync.Sync{Config: one}, map[string]list{"billing": rows("acme/a", "", "acme/x", "free", "a", "free")}, `unmatched ; unmatched ; unclaimed acme/b; unclaimed acme/c`},
		"missing told": {sourcesync.Sync{Config: field(func(f *sourcesync.Field) { f.OnMissing = sourcesync.MissingReport })}, map[string]list{"billing": rows("acme/a", "", "acme/b", "free", "acme/c", "enterprise")}, `missing acme/a`},
		"unset what was written": {sourcesync.Sync{Config: field(func(f *sourcesync.Field) { f.OnMissing = sourcesync.MissingUnset }), Book: left("2", "Customer_Tier", `"free"`)},
			map[string]list{"billing": rows("acme/a", "free")}, `acme/a Customer_Tier null→"free" (billing); acme/b Customer_Tier "free"→null (billing); unclaimed acme/b; unclaimed acme/c`},
		"no unset of what a person wrote": {sourcesync.Sync{Config: field(func(f *sourcesync.Field) { f.OnMissing = sourcesync.MissingUnset }), Book: left("2", "Customer_Tier", `"enterprise"`)},
			map[string]list{"billing": rows("acme/a", "")}, `unclaimed acme/b; unclaimed acme/c; changed-by-hand acme/b`},
		"changed by hand, and the source counts": {sourcesync.Sync{Config: byHand(sourcesync.BySource), Book: left("3", "Customer_Tier", `"free"`)},
			map[string]list{"billing": rows("acme/a", "", "acme/b", "free", "acme/c", "free")}, `acme/c Customer_Tier "enterprise"→"free" (billing, changed by hand); changed-by-hand acme/c`},
		"changed by hand, and it stays": {sourcesync.Sync{Config: byHand(sourcesync.ByHand), Book: left("3", "Customer_Tier", `"free"`)},
			map[string]list{"billing": rows("acme/a", "", "acme/b", "free", "acme/c", "free")}, `changed-by-hand acme/c`},
		"the first source counts": {sourcesync.Sync{Config: both(asIs)}, map[string]list{"ldap": rows("acme/a", "x", "acme/b", ""), "teams": rows("acme/a", "y", "acme/b", "shop", "acme/c", "x")},
			`acme/a team_owner null→"x" (ldap); acme/b team_owner "web"→"shop" (teams); acme/c team_owner null→"x" (teams); conflict acme/a`},
		"a conflict is told": {sourcesync.Sync{Config: both(func(r *sourcesync.PropertyRule) { r.OnConflict = sourcesync.ReportOnly })},
			map[string]list{"ldap": rows("acme/a", "x", "acme/b", "y"), "teams": rows("acme/a", "y", "acme/b", "y", "acme/c", "z")}, `acme/b team_owner "web"→"y" (ldap); acme/c team_owner null→"z" (teams); conflict acme/a`},
		"the first source is out":        {sourcesync.Sync{Config: both(asIs)}, map[string]list{"ldap": {fault: errors.New("x")}, "teams": rows("acme/a", "y")}, `unavailable ; ldap out`},
		"the second source is out":       {sourcesync.Sync{Config: both(asIs)}, map[string]list{"teams": {fault: errors.New("x")}, "ldap": rows("acme/a", "y")}, `acme/a team_owner null→"y" (ldap); unavailable ; teams out`},
		"out where conflicts are told":   {sourcesync.Sync{Config: both(func(r *sourcesync.PropertyRule) { r.OnConflict = sourcesync.ReportOnly })}, map[string]list{"teams": {fault: errors.New("x")}, "ldap": rows("acme/a", "y")}, `unavailable ; teams out`},
		"only one source":                {sourcesync.Sync{Config: both(asIs), Sources: []string{"teams"}}, map[string]list{"ldap": rows("acme/a", "x"), "teams": rows("acme/b", "y", "acme/c", "z")}, `acme/b team_owner "web"→"y" (teams); acme/c team_owner null→"z" (teams)`},
		"only one repository":            {sourcesync.Sync{Config: both(asIs), Repositories: []string{"Acme/B"}}, map[string]list{"ldap": rows("acme/a", "x"), "teams": rows("acme/b", "y", "acme/c", "z")}, `acme/b team_owner "web"→"y" (teams)`},
		"several values for a text":      {sourcesync.Sync{Config: both(asIs)}, map[string]list{"ldap": rows("acme/a", `["x","y"]`, "acme/b", "web"), "teams": rows("acme/a", `["x","y"]`, "acme/b", "web", "acme/c", "z")}, `acme/c team_owner null→"z" (teams); invalid acme/a`},
		"no rows":                        {sourcesync.Sync{Config: one}, map[string]list{"billing": {}}, `unavailable ; billing out`},
		"a key twice":                    {sourcesync.Sync{Config: one}, map[string]list{"billing": rows("acme/a", "free", "ACME/a", "free")}, `unavailable ; billing out`},
		"no key":                         {sourcesync.Sync{Config: one}, map[string]list{"billing": rows("acme/a", "free", "", "free")}, `unavailable ; billing out`},
		"fewer than before":              {sourcesync.Sync{Config: one, Book: sourcesync.Book{Version: 1, Rows: map[string]int{"billing": 4}}}, map[string]list{"billing": rows("acme/a", "free", "acme/b", "free", "acme/c", "free")}, `unavailable ; billing out`},
		"fewer than before, and allowed": {sourcesync.Sync{Config: one, AllowFewer: true, Book: sourcesync.Book{Version: 1, Rows: map[string]int{"billing": 4}}}, map[string]list{"billing": rows("acme/a", "", "acme/b", "free", "acme/c", "free")}, `acme/c Customer_Tier "enterprise"→"free" (billing)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.sync.GitHub = three()
			if got, _ := run(t, &c.sync, c.of); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestPlanOfUnknown: what could not be read, is archived or is not defined is left alone.
func TestPlanOfUnknown(t *testing.T) {
	t.Parallel()
	h := three()
	h.repos[0].Properties = pipeline.Properties{}
	h.repos[1].Err = errors.New("502")
	h.repos[2].Archived = true
	s := &sourcesync.Sync{GitHub: h, Config: sourcesync.Config{Sources: []sourcesync.SourceConfig{source("billing", "customer_tier")}, Properties: []sourcesync.PropertyRule{rule("customer_tier", "billing")}}}
	got, r := run(t, s, map[string]list{"billing": rows("acme/a", "free", "acme/b", "enterprise", "acme/c", "free")})
	if want := "unread acme/a; unread acme/b"; got != want || r.Report.Err() == nil {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	s = &sourcesync.Sync{GitHub: three(), Config: sourcesync.Config{Sources: []sourcesync.SourceConfig{source("billing", "nothing")}, Properties: []sourcesync.PropertyRule{rule("nothing", "billing")}}}
	if got, _ = run(t, s, map[string]list{"billing": rows("acme/a", "free", "acme/b", "", "acme/c", "")}); got != "invalid acme/a" {
		t.Errorf("a property that is not defined: %s", got)
	}
}

// TestFileOfArchived: what a file says of an archived repository is listed, and the rest is planned.
func TestFileOfArchived(t *testing.T) {
	t.Parallel()
	h := three()
	h.repos[2].Archived = true
	set := func(id int64, name, value string) change.FileRow {
		return change.FileRow{Place: change.Place{ID: id, Name: name}, What: "customer_tier", Old: json.RawMessage(`null`), New: json.RawMessage(value)}
	}
	s := &sourcesync.Sync{GitHub: h, Config: sourcesync.Config{Organizations: []string{"acme"}}}
	r, err := s.FromFile(t.Context(), change.File{Rows: []change.FileRow{set(1, "acme/a", `"free"`), set(3, "acme/c", `"free"`)}})
	if err != nil || len(r.Plan.Rows) != 1 || r.Plan.Rows[0].ID != 1 {
		t.Fatalf("planned %+v: %v", r.Plan.Rows, err)
	}
	if f := r.Report.Findings; len(f) != 1 || f[0].Kind != sourcesync.Archived || f[0].RepositoryID != 3 || r.Report.Err() == nil {
		t.Errorf("found %+v: %v", f, r.Report.Err())
	}
	if _, err := s.FromFile(t.Context(), change.File{Rows: []change.FileRow{set(1, "acme/a", `"free"`), set(9, "acme/gone", `"free"`)}}); err == nil {
		t.Error("a repository that is not there is accepted")
	}
}

// TestAnyFaultWritesNothing: whatever the sources are and wherever they fail, no value is planned that a source gives which
// has failed, or which one with more authority could have given; and no value is planned that no source says.
func TestAnyFaultWritesNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- for a test that can be played again
	h := &hub{}
	for i := range 30 {
		h.repos = append(h.repos, repo(int64(i+1), fmt.Sprintf("r%d", i), `{}`))
	}
	names := []string{"one", "two", "three"}
	for round := range 2000 {
		of := map[string]list{}
		said := map[string]map[string]string{}
		var configs []sourcesync.SourceConfig
		for _, name := range names {
			said[name] = map[string]string{}
			var pairs []string
			for _, i := range r.Perm(30)[:1+r.IntN(29)] {
				key, value := fmt.Sprintf("acme/r%d", i), []string{"", "x", "y", "z"}[r.IntN(4)]
				said[name][key] = value
				pairs = append(pairs, key, value)
			}
			l := rows(pairs...)
			if r.IntN(3) == 0 {
				l.fault, l.after = errors.New("cut"), r.IntN(len(l.records)+1)
			}
			of[name] = l
			configs = append(configs, source(name, "team_owner"))
		}
		order := slices.Clone(names)
		r.Shuffle(3, func(i, j int) { order[i], order[j] = order[j], order[i] })
		s := &sourcesync.Sync{GitHub: h, Config: sourcesync.Config{Sources: configs, Properties: []sourcesync.PropertyRule{rule("team_owner", order...)}}}
		_, result := run(t, s, of)
		for _, row := range result.Plan.Rows {
			at := slices.Index(order, row.Reason)
			for i, name := range order {
				if i <= at && of[name].fault != nil {
					t.Fatalf("round %d: %s is written from %s, and %s has failed", round, row, row.Reason, name)
				}
				if i < at && said[name][row.Name] != "" {
					t.Fatalf("round %d: %s is written from %s, and %s has a value", round, row, row.Reason, name)
				}
			}
			if want := fmt.Sprintf("%q", said[row.Reason][row.Name]); string(row.New) != want {
				t.Fatalf("round %d: %s becomes %s, and %s says %s", round, row, row.New, row.Reason, want)
			}
		}
	}
}

// TestOrderOfRows: the same rows in another order give the same plan.
func TestOrderOfRows(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- for a test that can be played again
	l := rows("acme/a", "free", "acme/b", "enterprise", "acme/c", "free")
	first := ""
	for range 20 {
		r.Shuffle(3, func(i, j int) { l.records[i], l.records[j] = l.records[j], l.records[i] })
		s := &sourcesync.Sync{GitHub: three(), Config: sourcesync.Config{Sources: []sourcesync.SourceConfig{source("billing", "customer_tier")}, Properties: []sourcesync.PropertyRule{rule("customer_tier", "billing")}}}
		got, _ := run(t, s, map[string]list{"billing": l})
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("\n got %s\nwant %s", got, first)
		}
	}
}

// TestGuard: more than max_change of the repositories with another value of one property need --max-changes.
func TestGuard(t *testing.T) {
	t.Parallel()
	h := &hub{}
	var pairs []string
	for i := range 100 {
		name := fmt.Sprintf("r%d", i)
		h.repos = append(h.repos, repo(int64(i+1), name, `{}`))
		value := ""
		if i < 6 {
			value = "web"
		}
		pairs = append(pairs, "acme/"+name, value)
	}
	s := &sourcesync.Sync{GitHub: h, Config: sourcesync.Config{Sources: []sourcesync.SourceConfig{source("ldap", "team_owner")}, Properties: []sourcesync.PropertyRule{rule("team_owner", "ldap")}}}
	_, r := run(t, s, map[string]list{"ldap": rows(pairs...)})
	for percent, allowed := range map[int]int{10: 0, 6: 0, 5: 6} {
		if err := r.Guard(sourcesync.Config{MaxChange: percent}, allowed); err != nil {
			t.Errorf("%d%%, --max-changes %d: %v", percent, allowed, err)
		}
	}
	var usage *pipeline.UsageError
	if err := r.Guard(sourcesync.Config{MaxChange: 5}, 0); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--max-changes 6") {
		t.Errorf("5%%: %v", err)
	}
}
