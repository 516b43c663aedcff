package compliance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Finding is one thing about a repository that the rules do not allow.
type Finding struct {
	Repository   pipeline.Slug     `json:"repository"`
	RepositoryID int64             `json:"repository_id"`
	Rule         RuleID            `json:"rule"`
	Property     string            `json:"property,omitempty"`
	Severity     Severity          `json:"severity"`
	Value        pipeline.Property `json:"value"` // of the property; null: unset
	Message      string            `json:"message"`
	Remedy       string            `json:"remedy"`
	// Where is the rule in compliance.yml; no line for rules that are not written there.
	Where pipeline.Position `json:"where"`
}

// Unknown is something that could not be read, so that no one knows whether it complies.
type Unknown struct {
	// Repository is empty where it is about the teams of an organization, or all of its repositories.
	Repository   pipeline.Slug `json:"repository,omitzero"`
	RepositoryID int64         `json:"repository_id,omitempty"`
	Organization string        `json:"organization"`
	What         string        `json:"what"` // repositories, repository, properties, content, variables or teams
	Reason       string        `json:"reason"`
}

// checker compares one repository.
type checker struct {
	*Scan
	repo  Repository
	teams *teams // nil: not known
	found []Finding
	dark  []Unknown
}

// check compares a repository with the rules.
func (s *Scan) check(repo Repository, known *teams) *checker {
	c := &checker{Scan: s, repo: repo, teams: known}
	if repo.Err != nil {
		c.unknown("repository", repo.Err.Error())
		return c
	}
	if !repo.Properties.Known() {
		c.unknown("properties", "GitHub has not said which custom properties the repository has")
		return c
	}
	s.see(repo)
	holds := c.content()
	for _, rule := range s.Rules.Properties {
		c.property(rule, holds)
	}
	for _, rule := range s.Rules.Conditions {
		c.condition(rule)
	}
	c.registration(holds)
	c.regions()
	return c
}

func (c *checker) unknown(what, reason string) {
	c.dark = append(c.dark, Unknown{Repository: c.repo.Slug, RepositoryID: c.repo.ID, Organization: c.repo.Owner, What: what, Reason: reason})
}

func (c *checker) add(rule RuleID, property string, where pipeline.Position, message, remedy string) {
	c.found = append(c.found, Finding{Repository: c.repo.Slug, RepositoryID: c.repo.ID, Rule: rule, Property: property, Severity: c.Rules.severity(rule),
		Value: c.repo.Properties.Get(property), Message: message, Remedy: remedy, Where: where})
}

// property compares one property.
func (c *checker) property(rule PropertyRule, holds holding) {
	value := c.repo.Properties.Get(rule.Name)
	words := wordsOf(value)
	if value.Form == pipeline.PropertyOther {
		c.unknown("properties", fmt.Sprintf("GitHub has a value of property %s in a form that is not known", rule.Name))
		return
	}
	if len(words) == 0 {
		switch {
		case rule.Need == NeedAll, rule.Need == NeedInfra && holds.asksInfra:
			c.add(RuleMissingRequired, rule.Name, rule.Where, fmt.Sprintf("property %s is not set", rule.Name), "set it"+oneOf(rule.Values))
		case rule.Need == NeedRecommended:
			c.add(RuleMissingRecommended, rule.Name, rule.Where, fmt.Sprintf("property %s is not set, and is recommended", rule.Name), "set it"+oneOf(rule.Values))
		}
		return
	}
	for _, word := range words {
		if remedy, old := rule.Deprecated[word]; old {
			c.add(RuleDeprecatedValue, rule.Name, rule.Where, fmt.Sprintf("property %s is %s, which is deprecated", rule.Name, pipeline.Quote(word)), remedy)
		} else if len(rule.Values) > 0 && !slices.Contains(rule.Values, word) {
			c.invalid(rule, word)
		}
	}
	if age, known := c.age(c.repo.ID, rule.Name); known && rule.MaxAge > 0 && age >= time.Duration(rule.MaxAge)*24*time.Hour {
		since := c.values[c.repo.ID][strings.ToLower(rule.Name)].Since.Format(time.DateOnly)
		c.add(RuleStaleValue, rule.Name, rule.Where, fmt.Sprintf("property %s has not changed since %s, and %d days are allowed", rule.Name, since, rule.MaxAge),
			"find out whether it is still right; then change it, or add an exception until the next time")
	}
	if rule.Team {
		for _, word := range words {
			c.team(rule, word)
		}
	}
}

func (c *checker) invalid(rule PropertyRule, word string) {
	remedy := "set it" + oneOf(rule.Values)
	for _, allowed := range rule.Values {
		if strings.EqualFold(strings.TrimSpace(word), allowed) {
			remedy = fmt.Sprintf("write it %s", pipeline.Quote(allowed))
		}
	}
	c.add(RuleInvalidValue, rule.Name, rule.Where, fmt.Sprintf("property %s is %s, which is not allowed", rule.Name, pipeline.Quote(word)), remedy)
}

func oneOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return " to one of: " + strings.Join(values, ", ")
}

// team compares the slug of a team.
func (c *checker) team(rule PropertyRule, slug string) {
	if c.teams == nil {
		return // said once for the organization
	}
	team, there := c.teams.bySlug[strings.ToLower(slug)]
	if !there {
		remedy := "set it to the slug of a team of " + c.repo.Owner
		if now := c.Rules.TeamNames[strings.ToLower(slug)]; now != "" {
			remedy = fmt.Sprintf("the team is called %s now: set it to that", pipeline.Quote(now))
		} else if like := pipeline.Nearest(slug, c.teams.slugs); like != "" {
			remedy = fmt.Sprintf("did you mean %s?", pipeline.Quote(like))
		}
		c.add(RuleUnknownTeam, rule.Name, rule.Where, fmt.Sprintf("property %s names the team %s, which %s does not have, or does not show", rule.Name, pipeline.Quote(slug), c.repo.Owner), remedy)
		return
	}
	if !team.Permissions[c.repo.ID].pushes() {
		c.add(RuleTeamAccess, rule.Name, rule.Where, fmt.Sprintf("the team %s of property %s cannot push to the repository", pipeline.Quote(slug), rule.Name),
			"give the team the permission write, or name the team that owns the repository")
	}
}

// pushes reports whether the permission lets a team push.
func (p Permission) pushes() bool { return p == Write || p == Maintain || p == Admin }

// holding is what a repository holds, and what its content type says.
type holding struct {
	app, infra bool // detected; false where the content is not known
	asksInfra  bool // the content type, or the content where there is no type
}

// content compares the content type with what lies at the top of the repository.
func (c *checker) content() (h holding) {
	name := c.Rules.Content
	if name == "" {
		return h
	}
	where := c.Rules.where(name)
	declared, message := pipeline.ReadContentType(c.repo.Properties.Get(name))
	if message != "" {
		c.add(RuleInvalidValue, name, where, fmt.Sprintf("property %s: %s", name, message), pipeline.ContentRemedy)
	}
	h.asksInfra = declared.HasInfra()
	if !c.repo.RootKnown {
		c.unknown("content", "GitHub has not said what lies at the top of the default branch")
		return h
	}
	h.app, h.infra = c.Detect(c.repo.Root)
	if message != "" {
		return h
	}
	if declared == "" { // that it is missing is the rule of the property
		h.asksInfra = h.infra
		return h
	}
	saysApp := declared == pipeline.ContentApp || declared == pipeline.ContentBoth
	for _, part := range []struct {
		name        string
		holds, says bool
	}{{"app", h.app, saysApp}, {"infra", h.infra, declared.HasInfra()}} {
		switch {
		case part.holds && !part.says:
			c.add(RuleContentMissing, name, where, fmt.Sprintf("the repository holds %s, which property %s does not name", part.name, name), fmt.Sprintf("add %s to the property", part.name))
		case !part.holds && part.says:
			c.add(RuleContentStale, name, where, fmt.Sprintf("property %s names %s, which the repository does not hold at its top", name, part.name), fmt.Sprintf("remove %s from the property, or add what is missing", part.name))
		}
	}
	return h
}

// where is the rule of a property.
func (r Rules) where(property string) pipeline.Position {
	for _, rule := range r.Properties {
		if strings.EqualFold(rule.Name, property) {
			return rule.Where
		}
	}
	return pipeline.Position{}
}

// condition compares two properties with each other.
func (c *checker) condition(rule Condition) {
	if !rule.When.Holds(c.repo.Properties) {
		return
	}
	add := func(property, message, remedy string) {
		if rule.Message != "" {
			remedy = rule.Message
		}
		c.add(rule.ID, property, rule.Where, message, remedy)
	}
	if t := rule.Requires; t.Property != "" && !t.Holds(c.repo.Properties) {
		add(t.Property, fmt.Sprintf("%s, but not: %s", rule.When, t), fmt.Sprintf("set property %s%s", t.Property, oneOf(t.Values)))
	}
	if t := rule.Excludes; t.Property != "" && t.Holds(c.repo.Properties) {
		add(t.Property, fmt.Sprintf("%s, and also: %s", rule.When, t), fmt.Sprintf("change property %s or %s", rule.When.Property, t.Property))
	}
}

// registration compares the customers of the manager with what the repository holds.
func (c *checker) registration(h holding) {
	if !c.Rules.Registration {
		return
	}
	_, registered := c.Customers[c.repo.ID]
	switch {
	case !registered && h.asksInfra:
		c.add(RuleNotRegistered, c.Rules.Content, pipeline.Position{}, "the repository asks for infrastructure, and is no customer of this manager", "register it in customers/, or change its content type")
	case registered && !h.asksInfra && c.repo.RootKnown:
		c.add(RuleRegisteredNoInfra, c.Rules.Content, pipeline.Position{}, "the repository is a customer of this manager, and its content type asks for no infrastructure", "add infra to its content type, or offboard the customer")
	}
}
