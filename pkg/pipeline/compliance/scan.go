package compliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GitHub reads organizations. Each answer is whole, or an error: what is not known of one repository
// is marked in it.
type GitHub interface {
	OrganizationRepositories(ctx context.Context, organization string) ([]Repository, error)
	OrganizationTeams(ctx context.Context, organization string) ([]Team, error)
	// Files answers in the order of the questions.
	Files(ctx context.Context, files []FileQuestion) []FileAnswer
}

// Scan compares repositories with rules. It writes nothing.
type Scan struct {
	Rules  Rules
	GitHub GitHub
	// Customers are those of the manager, by the ids of their repositories.
	Customers map[int64][]pipeline.Customer
	// Parse reads variables.yml of a customer under the rules of the manager.
	Parse func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	// Detect says what entries at the top of a repository are: application code, infrastructure, or both.
	Detect func(root []Entry) (app, infra bool)
	Now    time.Time
	// Repository is a pattern of names, or of owner/name: only these; empty: all.
	Repository string
	// Limit is how many repositories are compared, in the order of their names; 0: all.
	Limit int
	// Protected reports whether a property may never be fixed; nil: each may be.
	Protected func(property string) bool
	// FixFrom is the lowest severity of findings that are fixed; empty: all are.
	FixFrom Severity
	// Earlier is what earlier scans have found; nil: not known, so that no value is stale.
	Earlier *History

	values map[int64]map[string]Value // of the repositories that were compared
	listed map[int64]bool             // the repositories that GitHub shows
	// variables are the files of customers, as far as they are asked for.
	variables map[pipeline.CustomerName]FileAnswer
}

// Report is what a scan has found. Repositories, findings and the rest are in the order of names.
type Report struct {
	Version       int       `json:"version"` // 1
	At            time.Time `json:"at"`
	Organizations []string  `json:"organizations"`
	Repositories  int       `json:"repositories"` // all that GitHub shows
	Scanned       int       `json:"scanned"`
	Skipped       []Skipped `json:"skipped"`
	Findings      []Finding `json:"findings"` // without those that an exception takes out
	Excepted      []Finding `json:"excepted"`
	// Exceptions have something to say: they have ended, end soon, or are about nothing.
	Exceptions []ExceptionNote `json:"exceptions"`
	Unknown    []Unknown       `json:"unknown"`
	// Compared are the ids of the repositories that were compared.
	Compared map[int64]bool `json:"-"`
	// Fixes are the new values that compliance.yml allows.
	Fixes []Fix `json:"-"`
	// Trend are the days before this scan, the oldest first; none where earlier scans were not asked for.
	Trend []Day `json:"trend,omitempty"`
	// Score is the mean of those of the scanned repositories of which everything is known, from 0 to 10; of none it is 0.
	Score float64 `json:"score"`
}

// Skipped is a repository that was not compared.
type Skipped struct {
	Repository pipeline.Slug `json:"repository"`
	Reason     string        `json:"reason"` // archived, template, fork, excluded, filtered or limit
}

// ExceptionNote is what is to be said of an exception.
type ExceptionNote struct {
	Where   pipeline.Position `json:"where"`
	Owner   string            `json:"owner"`
	Reason  string            `json:"reason"`
	Until   time.Time         `json:"until"`
	Message string            `json:"message"`
}

// Count is the number of findings of a severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// teams are those of an organization, by their slugs in lower case.
type teams struct {
	bySlug map[string]Team
	slugs  []string
}

// Run reads the organizations and compares their repositories. What cannot be read is part of the
// report. The error is that of ctx, or says that nothing could be read at all.
func (s *Scan) Run(ctx context.Context) (Report, error) {
	s.values, s.listed = map[int64]map[string]Value{}, map[int64]bool{}
	r := Report{Version: 1, At: s.Now.UTC(), Organizations: s.organizations(), Skipped: []Skipped{}, Findings: []Finding{}, Excepted: []Finding{}, Exceptions: []ExceptionNote{}, Unknown: []Unknown{}, Compared: map[int64]bool{}}
	if len(r.Organizations) == 0 {
		return r, pipeline.Usagef("no organization is to be scanned").Nextf("name some with organizations in %s, or register a customer", File)
	}
	var all []Repository
	known := map[string]*teams{} // by lower-case organization
	var failed []error
	for _, organization := range r.Organizations {
		repos, err := s.GitHub.OrganizationRepositories(ctx, organization)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err != nil {
			r.Unknown = append(r.Unknown, Unknown{Organization: organization, What: "repositories", Reason: err.Error()})
			failed = append(failed, err)
			continue
		}
		for _, repo := range repos {
			if repo.Owner == "" { // GitHub has said nothing of it
				repo.Owner = organization
			}
			all = append(all, repo)
		}
		if !s.asksTeams() {
			continue
		}
		list, err := s.GitHub.OrganizationTeams(ctx, organization)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err != nil {
			r.Unknown = append(r.Unknown, Unknown{Organization: organization, What: "teams", Reason: err.Error()})
			continue
		}
		known[strings.ToLower(organization)] = teamsOf(list)
	}
	if len(failed) > 0 && len(failed) == len(r.Organizations) {
		return r, fmt.Errorf("read the repositories: %w", errors.Join(failed...))
	}
	slices.SortFunc(all, func(a, b Repository) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Slug.String()), strings.ToLower(b.Slug.String())), cmp.Compare(a.ID, b.ID))
	})
	r.Repositories = len(all)
	for _, repo := range all {
		s.listed[repo.ID] = true
	}
	s.hidden(&r)
	if s.Repository != "" && len(r.Unknown) == 0 && !slices.ContainsFunc(all, func(repo Repository) bool { return s.skips(repo, 0) != filtered }) {
		return r, pipeline.Usagef("none of the %d repositories matches %s", len(all), pipeline.QuoteTyped(s.Repository)).Nextf(`write a name such as "shop-*", or "acme/shop-*"`)
	}
	if s.Earlier != nil {
		r.Trend = slices.DeleteFunc(slices.Clone(s.Earlier.Days), func(d Day) bool { return d.Day == r.At.Format(time.DateOnly) })
	}
	if s.readVariables(ctx, all); ctx.Err() != nil {
		return r, ctx.Err()
	}
	s.compare(&r, all, known)
	return r, nil
}

// hidden reports the repositories of customers that GitHub does not list: what the token may not see looks
// the same as what is gone.
func (s *Scan) hidden(r *Report) {
	for _, id := range slices.Sorted(maps.Keys(s.Customers)) {
		for _, c := range s.Customers[id] {
			owner := func(organization string) bool { return strings.EqualFold(organization, c.Repository.Owner) }
			unread := slices.ContainsFunc(r.Unknown, func(u Unknown) bool { return u.What == "repositories" && owner(u.Organization) })
			if s.listed[id] || unread || !slices.ContainsFunc(r.Organizations, owner) || s.Repository != "" && !matches(s.Repository, c.Repository) {
				continue
			}
			r.Unknown = append(r.Unknown, Unknown{Repository: c.Repository, RepositoryID: id, Organization: c.Repository.Owner, What: "repository",
				Reason: fmt.Sprintf("GitHub does not list the repository of customer %s: the token may not see it, or it was deleted or transferred", c.Name)})
		}
	}
}

// organizations are those of the rules, or the owners of the customers, each once.
func (s *Scan) organizations() []string {
	names := slices.Clone(s.Rules.Organizations)
	if len(names) == 0 {
		for _, customers := range s.Customers {
			for _, c := range customers {
				names = append(names, c.Repository.Owner)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return slices.CompactFunc(names, strings.EqualFold)
}

func (s *Scan) asksTeams() bool {
	return slices.ContainsFunc(s.Rules.Properties, func(p PropertyRule) bool { return p.Team })
}

func teamsOf(list []Team) *teams {
	t := &teams{bySlug: map[string]Team{}}
	for _, team := range list {
		t.bySlug[strings.ToLower(team.Slug)] = team
		t.slugs = append(t.slugs, team.Slug)
	}
	slices.Sort(t.slugs)
	return t
}

// compare compares the repositories, in the order of their names.
func (s *Scan) compare(r *Report, all []Repository, known map[string]*teams) {
	used := make([]bool, len(s.Rules.Exceptions))
	score, scored := 0.0, 0
	for _, repo := range all {
		if why := s.skips(repo, r.Scanned); why != "" {
			r.Skipped = append(r.Skipped, Skipped{repo.Slug, why})
			continue
		}
		r.Scanned++
		r.Compared[repo.ID] = true
		c := s.check(repo, known[strings.ToLower(repo.Owner)])
		r.Unknown = append(r.Unknown, c.dark...)
		var counted []Finding
		for _, f := range c.found {
			if s.excepted(f, used) {
				r.Excepted = append(r.Excepted, f)
				continue
			}
			counted = append(counted, f)
		}
		r.Findings = append(r.Findings, counted...)
		if len(c.dark) == 0 { // of others, no one knows the score
			score += scoreOf(counted)
			scored++
		}
		r.Fixes = append(r.Fixes, c.fix(slices.DeleteFunc(counted, func(f Finding) bool { return s.FixFrom != "" && !f.Severity.AtLeast(s.FixFrom) }))...)
	}
	if scored > 0 {
		r.Score = score / float64(scored)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(Severities, a.Severity), slices.Index(Severities, b.Severity)), strings.Compare(strings.ToLower(a.Repository.String()), strings.ToLower(b.Repository.String())))
	})
	r.Exceptions = append(r.Exceptions, s.notes(used, s.whole(*r))...)
}

// filtered is why a repository is skipped that Scan.Repository does not name.
const filtered = "filtered"

// skips is why a repository is not compared; empty: it is. One without a name is never skipped.
func (s *Scan) skips(repo Repository, scanned int) string {
	switch {
	case repo.Name == "": // it could be any of them
		return ""
	case s.Repository != "" && !matches(s.Repository, repo.Slug):
		return filtered
	case slices.ContainsFunc(s.Rules.Exclude, func(p string) bool { return matches(p, repo.Slug) }):
		return "excluded"
	case repo.Err == nil && repo.Archived:
		return "archived"
	case repo.Err == nil && repo.Template:
		return "template"
	case repo.Err == nil && repo.Fork && !s.Rules.Forks:
		return "fork"
	case s.Limit > 0 && scanned >= s.Limit:
		return "limit"
	}
	return ""
}

// excepted reports whether an exception that has not ended takes a finding out. All that are about it are
// in use.
func (s *Scan) excepted(f Finding, used []bool) (out bool) {
	for i, e := range s.Rules.Exceptions {
		if e.covers(f) {
			used[i] = true
			out = out || !e.Expired(s.Now)
		}
	}
	return out
}

// notes are what is to be said of exceptions. Unless the whole was scanned, it is not known which ones are about
// nothing.
func (s *Scan) notes(used []bool, whole bool) (notes []ExceptionNote) {
	for i, e := range s.Rules.Exceptions {
		message := ""
		switch {
		case e.Expired(s.Now) && used[i]:
			message = "it has ended: its findings count again"
		case e.Expired(s.Now):
			message = "it has ended: remove it"
		case !used[i] && whole:
			message = "it is about no finding: remove it"
		case e.EndsSoon(s.Now):
			message = "it ends after " + e.LastDay()
		default:
			continue
		}
		notes = append(notes, ExceptionNote{Where: e.Where, Owner: e.Owner, Reason: e.Reason, Until: e.Until, Message: message})
	}
	return notes
}

// weights are what a finding takes from the 10 of a repository.
var weights = map[Severity]float64{Critical: 3, High: 1.5, Medium: 0.5, Low: 0.2}

func scoreOf(findings []Finding) float64 {
	score := 10.0
	for _, f := range findings {
		score -= weights[f.Severity]
	}
	return max(score, 0)
}
