package compliance

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Severity says how soon a finding has to be fixed.
type Severity string

// The severities, from the highest to the lowest.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
)

// Severities are all of them, the highest first.
var Severities = []Severity{Critical, High, Medium, Low}

// SeverityWords are the severities as texts.
func SeverityWords() []string {
	words := make([]string, len(Severities))
	for i, s := range Severities {
		words[i] = string(s)
	}
	return words
}

// AtLeast reports whether s is as high as o, or higher.
func (s Severity) AtLeast(o Severity) bool {
	return slices.Index(Severities, s) <= slices.Index(Severities, o)
}

// RuleID names a rule in findings, exceptions and SARIF.
type RuleID string

// The rules that compliance.yml does not name itself.
const (
	RuleMissingRequired    RuleID = "missing-required"    // a property that the repository must have
	RuleMissingRecommended RuleID = "missing-recommended" // a property that it should have
	RuleInvalidValue       RuleID = "invalid-value"       // none of the allowed values
	RuleDeprecatedValue    RuleID = "deprecated-value"
	RuleStaleValue         RuleID = "stale-value"         // it has not changed for long
	RuleUnknownTeam        RuleID = "unknown-team"        // no team of the organization
	RuleTeamAccess         RuleID = "team-access"         // a team that cannot push to the repository
	RuleContentMissing     RuleID = "content-missing"     // it holds something that its content type does not name
	RuleContentStale       RuleID = "content-stale"       // its content type names something that it does not hold
	RuleNotRegistered      RuleID = "not-registered"      // infrastructure, and no customer of this manager
	RuleRegisteredNoInfra  RuleID = "registered-no-infra" // a customer whose content type asks for nothing
	RuleRegion             RuleID = "region"              // variables.yml names a region that the property does not allow
)

// DefaultSeverities are those of the rules that have a name.
var DefaultSeverities = map[RuleID]Severity{
	RuleMissingRequired: High, RuleMissingRecommended: Low, RuleInvalidValue: High, RuleDeprecatedValue: Medium, RuleStaleValue: Low, RuleUnknownTeam: Critical, RuleTeamAccess: Medium,
	RuleContentMissing: High, RuleContentStale: Medium, RuleNotRegistered: Medium, RuleRegisteredNoInfra: Medium, RuleRegion: High,
}

// File holds the rules, beside metapipe.yml.
const File = "compliance.yml"

// Rules are what File says.
type Rules struct {
	// Organizations are those whose repositories are scanned; empty: those of the customers.
	Organizations []string
	// Exclude are patterns (path.Match) of names, or of owner/name.
	Exclude []string
	// Forks says that forks are scanned too. Archived repositories and templates never are.
	Forks      bool
	Properties []PropertyRule
	// TeamNames are the present slugs of teams by their former ones.
	TeamNames map[string]string
	// Content is the property with the content type; empty: no rules about content.
	Content string
	// Registration compares the customers of the manager with what repositories hold.
	Registration bool
	// Regions compares variables.yml of customers with the property that restricts the regions.
	Regions    bool
	Conditions []Condition
	Severities map[RuleID]Severity // in place of the default ones
	Fixes      []FixID             // that may be made; empty: none
	Exceptions []Exception
}

// Need says which repositories have to have a property.
type Need string

// The needs; none: the property may be absent.
const (
	NeedAll         Need = "all"
	NeedInfra       Need = "infra" // those whose content type asks for infrastructure
	NeedRecommended Need = "recommended"
)

// PropertyRule is what compliance.yml says of one property.
type PropertyRule struct {
	Name       string
	Need       Need
	Values     []string          // allowed ones; empty: any
	Deprecated map[string]string // what to do, by value
	// MaxAge is how many days a value may stay as it is; 0: for ever. Nothing is stale before scans have seen
	// it for so long.
	MaxAge int
	// Team says that the value is the slug of a team that can push to the repository.
	Team  bool
	Where pipeline.Position
}

// Condition is a rule about two properties: where When holds, so must Requires, and Excludes must not.
type Condition struct {
	ID       RuleID
	When     Test
	Requires Test // zero: none
	Excludes Test // zero: none
	Severity Severity
	Message  string // what to do; empty: what the tests say
	Where    pipeline.Position
}

// Test is a question about a property: does it have one of the values, or any at all?
type Test struct {
	Property string
	Values   []string // empty: any value
}

// Holds reports whether the property of a repository has one of the values.
func (t Test) Holds(p pipeline.Properties) bool {
	words := wordsOf(p.Get(t.Property))
	if len(t.Values) == 0 {
		return len(words) > 0
	}
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(t.Values, word) })
}

func (t Test) String() string {
	if len(t.Values) == 0 {
		return "property " + t.Property + " has a value"
	}
	return "property " + t.Property + " is " + pipeline.Quote(strings.Join(t.Values, " or "))
}

// wordsOf are the texts of a value.
func wordsOf(p pipeline.Property) []string {
	switch {
	case p.Form == pipeline.PropertyText && p.Text != "":
		return []string{p.Text}
	case p.Form == pipeline.PropertyList:
		return p.List
	}
	return nil
}

// Exception takes findings out for a time.
type Exception struct {
	// Repository is a pattern (path.Match) of owner/name, RepositoryID an id in its place.
	Repository   string
	RepositoryID int64
	Rule         RuleID // empty: all rules
	Property     string // empty: all properties
	pipeline.Exception
}

// LongestException is how long one may last.
const LongestException = 366 * 24 * time.Hour

// covers reports whether an exception is about a finding, also when it has ended.
func (e Exception) covers(f Finding) bool {
	if e.RepositoryID != 0 && e.RepositoryID != f.RepositoryID {
		return false
	}
	if e.RepositoryID == 0 && !matches(e.Repository, f.Repository) {
		return false
	}
	return (e.Rule == "" || e.Rule == f.Rule) && (e.Property == "" || strings.EqualFold(e.Property, f.Property))
}

// matches compares a pattern with the name of a repository, or with owner/name where it has a slash. GitHub
// compares both without regard to case.
func matches(pattern string, repo pipeline.Slug) bool {
	name := repo.String()
	if !strings.Contains(pattern, "/") {
		name = repo.Name
	}
	hit, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return err == nil && hit
}

// severity is that of a rule.
func (r Rules) severity(id RuleID) Severity {
	for _, c := range r.Conditions {
		if c.ID == id {
			return c.Severity
		}
	}
	return cmp.Or(r.Severities[id], DefaultSeverities[id])
}
