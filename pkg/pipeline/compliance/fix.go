package compliance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FixID names a way to fix findings, which compliance.yml allows one by one.
type FixID string

// The fixes. None takes a value away, or a part of one.
const (
	FixRenamedTeam FixID = "renamed-team" // a former slug becomes the present one, by team_names
	FixOnlyTeam    FixID = "only-team"    // the team becomes the only one with the permission maintain or admin
	FixContent     FixID = "content"      // what the repository holds is added to its content type
	FixSpelling    FixID = "spelling"     // case and blanks of an allowed value
)

// FixIDs are all of them.
var FixIDs = []FixID{FixRenamedTeam, FixOnlyTeam, FixContent, FixSpelling}

// Fix is a new value that fixes findings.
type Fix struct {
	Repository pipeline.Repository
	Property   string
	Old, New   pipeline.Property
	Reason     string
}

// fix proposes new values for the properties of a repository, at most one for each. Findings that an
// exception takes out are left alone.
func (c *checker) fix(counted []Finding) (fixes []Fix) {
	now := map[string]*Fix{} // by property, in lower case
	for _, f := range counted {
		name := strings.ToLower(f.Property)
		if f.Property == "" || c.Protected != nil && c.Protected(f.Property) {
			continue
		}
		value := f.Value
		if earlier := now[name]; earlier != nil {
			value = earlier.New
		}
		changed, reason := c.newValue(f, value)
		switch {
		case reason == "":
		case now[name] != nil:
			now[name].New, now[name].Reason = changed, now[name].Reason+"; "+reason
		default:
			now[name] = &Fix{Repository: c.repo.Repository, Property: f.Property, Old: f.Value, New: changed, Reason: reason}
		}
	}
	for _, f := range counted {
		name := strings.ToLower(f.Property)
		if fix := now[name]; fix != nil {
			fixes = append(fixes, *fix)
			delete(now, name)
		}
	}
	return fixes
}

func (c *checker) allows(id FixID) bool { return slices.Contains(c.Rules.Fixes, id) }

// newValue is the value that fixes a finding, and why; without a reason there is none.
func (c *checker) newValue(f Finding, value pipeline.Property) (pipeline.Property, string) {
	switch f.Rule {
	case RuleUnknownTeam, RuleTeamAccess, RuleMissingRequired, RuleMissingRecommended:
		if c.Rules.isTeam(f.Property) {
			return c.newTeam(f, value)
		}
	case RuleContentMissing:
		return c.addContent(value)
	case RuleInvalidValue:
		return c.correctSpelling(f, value)
	}
	return value, ""
}

// newTeam finds the team of a repository: the one that has the former name, or the only one that may
// administer or maintain it.
func (c *checker) newTeam(f Finding, value pipeline.Property) (pipeline.Property, string) {
	if c.teams == nil || value.Form == pipeline.PropertyList {
		return value, ""
	}
	if now := c.Rules.TeamNames[strings.ToLower(value.Text)]; f.Rule == RuleUnknownTeam && now != "" && c.allows(FixRenamedTeam) {
		if team, there := c.teams.bySlug[strings.ToLower(now)]; there {
			return text(team.Slug), fmt.Sprintf("the team %s is called %s now", pipeline.Quote(value.Text), pipeline.Quote(team.Slug))
		}
	}
	if !c.allows(FixOnlyTeam) {
		return value, ""
	}
	var owners []string
	for _, slug := range c.teams.slugs {
		if p := c.teams.bySlug[strings.ToLower(slug)].Permissions[c.repo.ID]; p == Maintain || p == Admin {
			owners = append(owners, slug)
		}
	}
	if len(owners) != 1 {
		return value, ""
	}
	return text(owners[0]), fmt.Sprintf("%s is the only team that may maintain the repository", pipeline.Quote(owners[0]))
}

// addContent adds what the repository holds to its content type.
func (c *checker) addContent(value pipeline.Property) (pipeline.Property, string) {
	declared, message := pipeline.ReadContentType(value)
	if message != "" || !c.allows(FixContent) || declared == "" || value.Form != pipeline.PropertyList {
		return value, ""
	}
	app, infra := c.Detect(c.repo.Root)
	var added []string
	for _, part := range []struct {
		name  string
		holds bool
	}{{"app", app}, {"infra", infra}} {
		if part.holds && !slices.Contains(value.List, part.name) {
			added = append(added, part.name)
		}
	}
	if len(added) == 0 {
		return value, ""
	}
	value.List = slices.Concat(value.List, added)
	return value, "the repository holds " + strings.Join(added, " and ")
}

// correctSpelling writes values as the rule writes them. Where two items of a list would become one, it is left.
func (c *checker) correctSpelling(f Finding, value pipeline.Property) (pipeline.Property, string) {
	i := slices.IndexFunc(c.Rules.Properties, func(p PropertyRule) bool { return strings.EqualFold(p.Name, f.Property) })
	if i < 0 || !c.allows(FixSpelling) {
		return value, ""
	}
	allowed := c.Rules.Properties[i].Values
	right := func(word string) string {
		like := func(a string) bool { return strings.EqualFold(strings.TrimSpace(word), a) }
		if at := slices.IndexFunc(allowed, like); at >= 0 && !slices.Contains(allowed, word) {
			return allowed[at]
		}
		return word
	}
	var reasons []string
	corrected := make([]string, 0, len(value.List))
	for _, word := range wordsOf(value) {
		now := right(word)
		if now != word {
			reasons = append(reasons, fmt.Sprintf("%s is written %s", pipeline.Quote(word), pipeline.Quote(now)))
		}
		if slices.Contains(corrected, now) {
			return value, ""
		}
		corrected = append(corrected, now)
	}
	if len(reasons) == 0 {
		return value, ""
	}
	if value.Form == pipeline.PropertyText {
		return text(corrected[0]), reasons[0]
	}
	value.List = corrected
	return value, strings.Join(reasons, "; ")
}

func text(s string) pipeline.Property { return pipeline.Property{Form: pipeline.PropertyText, Text: s} }

// isTeam reports whether the values of a property are slugs of teams.
func (r Rules) isTeam(property string) bool {
	return slices.ContainsFunc(r.Properties, func(p PropertyRule) bool { return p.Team && strings.EqualFold(p.Name, property) })
}
