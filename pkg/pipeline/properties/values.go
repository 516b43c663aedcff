package properties

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// KindValues is the kind of files with values of properties.
const KindValues = "custom-property-values"

// ValuesGitHub is what plans of values ask of GitHub.
type ValuesGitHub interface {
	RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
	// RepositoriesProperties reads many repositories with one call, and answers in their order.
	RepositoriesProperties(ctx context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer
	ListGitHub
	DefinitionsGitHub
	SetProperties(ctx context.Context, repositories []pipeline.Slug, values map[string]pipeline.Property) error
}

// Setter makes plans that set values of properties.
type Setter struct {
	GitHub ValuesGitHub
	// All are the registered customers; values of no other repository are set.
	All []pipeline.Customer
	// OneByOne: the token is for repositories and not for organizations.
	OneByOne bool

	defined map[string][]pipeline.PropertyDefinition // by owner, in lower case
	found   finder
}

// Plan is the plan that gives each repository of the customers the values. What is wrong with one of
// them is an error of all, and a *pipeline.UsageError: nothing is half written. Notes are the files of
// customers whose repository has another name now.
func (s *Setter) Plan(ctx context.Context, customers []pipeline.Customer, assignments []Assignment, reason string) (p change.Plan, notes []string, err error) {
	if err := checkOnce(assignments); err != nil {
		return p, nil, err
	}
	repositories := byRepository(customers)
	s.expect(repositories)
	var rows []change.Row
	var wrong []string
	for _, c := range repositories {
		definitions, err := s.definitions(ctx, c)
		if err != nil {
			return p, nil, err
		}
		repo, properties, err := s.properties(ctx, c)
		if err != nil {
			return p, nil, err
		}
		notes = append(notes, s.renamed(c.RepositoryID, repo)...)
		for _, a := range assignments {
			row, err := s.row(c, repo, properties, definitions, a)
			if err != nil && !slices.Contains(wrong, err.Error()) {
				wrong = append(wrong, err.Error())
			}
			row.Reason = reason
			rows = append(rows, row)
		}
	}
	if len(wrong) > 0 {
		return p, nil, pipeline.Usagef("the values cannot be set, and none is:\n  %s", strings.Join(wrong, "\n  ")).
			Nextf("correct the arguments, or define the properties first: metapipe properties schema")
	}
	return change.NewPlan(KindValues, len(byRepository(s.All)), rows), notes, nil
}

// checkOnce refuses two values of one property.
func checkOnce(assignments []Assignment) error {
	for i, a := range assignments {
		if slices.ContainsFunc(assignments[:i], func(o Assignment) bool { return strings.EqualFold(o.Name, a.Name) }) {
			return pipeline.Usagef("%s is given twice", a.Name).Nextf("give each property one value, or --unset it")
		}
	}
	return nil
}

// byRepository are the customers with a repository each: those that share one count once.
func byRepository(customers []pipeline.Customer) []pipeline.Customer {
	seen := map[int64]bool{}
	return slices.DeleteFunc(slices.Clone(customers), func(c pipeline.Customer) bool {
		twice := seen[c.RepositoryID]
		seen[c.RepositoryID] = true
		return twice
	})
}

// inRepository are the names of all customers that live in a repository, in ascending order.
func (s *Setter) inRepository(id int64) []pipeline.CustomerName {
	var names []pipeline.CustomerName
	for _, c := range s.All {
		if c.RepositoryID == id {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

// row is the row of one value.
func (s *Setter) row(c pipeline.Customer, repo pipeline.Slug, properties pipeline.Properties, definitions []pipeline.PropertyDefinition, a Assignment) (change.Row, error) {
	d, found := pipeline.DefinitionNamed(definitions, a.Name)
	if !found {
		return change.Row{}, notDefined(repo.Owner, a.Name, definitions)
	}
	value, err := a.Value(d)
	if err != nil {
		return change.Row{}, err
	}
	old := properties.Get(d.Name)
	if old.Form == pipeline.PropertyOther {
		return change.Row{}, fmt.Errorf("%s of %s has a value that metapipe cannot read, so it cannot be kept for the way back", d.Name, repo)
	}
	return change.Row{Place: change.Place{ID: c.RepositoryID, Name: repo.String()}, What: d.Name, Old: Canonical(old), New: Canonical(value), Customers: s.inRepository(c.RepositoryID)}, nil
}

func notDefined(owner, name string, definitions []pipeline.PropertyDefinition) error {
	var names []string
	for _, d := range definitions {
		names = append(names, d.Name)
	}
	like := pipeline.Nearest(name, names)
	switch {
	case like != "":
		return fmt.Errorf("%s defines no custom property %s: did you mean %s?", owner, name, like)
	case len(names) == 0:
		return fmt.Errorf("%s defines no custom property at all", owner)
	}
	slices.Sort(names)
	return fmt.Errorf("%s defines no custom property %s: it has %s", owner, name, strings.Join(names, ", "))
}

// definitions are those of the owner of a customer's repository.
func (s *Setter) definitions(ctx context.Context, c pipeline.Customer) ([]pipeline.PropertyDefinition, error) {
	owner := strings.ToLower(c.Repository.Owner)
	if known, asked := s.defined[owner]; asked {
		return known, nil
	}
	list, person, err := definitionsOf(ctx, s.GitHub, c.Repository)
	if person {
		return nil, pipeline.Usagef("%s belongs to a person, whose repositories have no custom properties (customer %s)", c.Repository, c.Name).
			Nextf("leave this customer out, or move the repository to an organization")
	}
	if err != nil {
		return nil, fmt.Errorf("customer %s: %w", c.Name, err)
	}
	if s.defined == nil {
		s.defined = map[string][]pipeline.PropertyDefinition{}
	}
	s.defined[owner] = list
	return list, nil
}

// Canonical is a value in the form in which values are compared. The items of a list have no order.
func Canonical(p pipeline.Property) json.RawMessage {
	if p.Form == pipeline.PropertyList {
		p.List = slices.Sorted(slices.Values(p.List))
	}
	raw, err := p.MarshalJSON()
	if err == nil {
		raw, err = change.Canonical(raw)
	}
	if err != nil { // texts and lists of texts always encode
		return json.RawMessage("{}")
	}
	return raw
}

// ParseValue reads a canonical value.
func ParseValue(raw json.RawMessage) (pipeline.Property, error) {
	var p pipeline.Property
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, err
	}
	if p.Form == pipeline.PropertyOther {
		return p, fmt.Errorf("%s is no value of a property: write a text, a list of texts, or null", pipeline.Quote(string(raw)))
	}
	return p, nil
}
