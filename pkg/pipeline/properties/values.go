package properties

import (
	"context"
	"encoding/json"
	"errors"
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
	// OrganizationProperties are the properties of all repositories of an organization, by id.
	OrganizationProperties(ctx context.Context, organization string) (map[int64]pipeline.Properties, error)
	// PropertyDefinitions are those of the owner of a repository.
	PropertyDefinitions(ctx context.Context, via pipeline.Slug) ([]pipeline.PropertyDefinition, error)
	OwnedByPerson(ctx context.Context, repo pipeline.Slug) (bool, error)
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
	listed  map[string]map[int64]pipeline.Properties
}

// askedAlone is how many repositories of one owner are asked for one by one.
const askedAlone = 3

// Plan is the plan that gives each repository of the customers the values. What is wrong with one of
// them is an error of all, and a *pipeline.UsageError: nothing is half written.
func (s *Setter) Plan(ctx context.Context, customers []pipeline.Customer, assignments []Assignment, reason string) (change.Plan, error) {
	if err := checkOnce(assignments); err != nil {
		return change.Plan{}, err
	}
	repositories := byRepository(customers)
	var rows []change.Row
	var wrong []string
	for _, c := range repositories {
		definitions, err := s.definitions(ctx, c)
		if err != nil {
			return change.Plan{}, err
		}
		repo, properties, err := s.properties(ctx, c, repositories)
		if err != nil {
			return change.Plan{}, err
		}
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
		return change.Plan{}, pipeline.Usagef("the values cannot be set, and none is:\n  %s", strings.Join(wrong, "\n  ")).
			Nextf("correct the arguments, or define the properties first: metapipe properties schema")
	}
	return change.NewPlan(KindValues, len(byRepository(s.All)), rows), nil
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
	return change.Row{Place: change.Place{ID: c.RepositoryID, Name: repo.String()}, What: d.Name, Old: canonical(old), New: canonical(value), Customers: s.inRepository(c.RepositoryID)}, nil
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

// FromFile is the plan of a file. The values that it expects are those of the file, which are
// compared when it is applied.
func (s *Setter) FromFile(ctx context.Context, f change.File) (change.Plan, error) {
	var rows []change.Row
	var wrong []string
	for _, in := range f.Rows {
		row, err := s.fileRow(ctx, in)
		var invalid invalidError
		if errors.As(err, &invalid) {
			wrong = append(wrong, err.Error())
		} else if err != nil {
			return change.Plan{}, err
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		return change.Plan{}, pipeline.Usagef("the values of the file cannot be set, and none is:\n  %s", strings.Join(wrong, "\n  ")).Nextf("correct the file")
	}
	return change.NewPlan(KindValues, len(byRepository(s.All)), rows), nil
}

// invalidError is something wrong with a row of a file.
type invalidError struct{ error }

func (s *Setter) fileRow(ctx context.Context, in change.FileRow) (change.Row, error) {
	row := in.Row()
	row.Customers = s.inRepository(row.ID)
	i := slices.IndexFunc(s.All, func(c pipeline.Customer) bool { return c.RepositoryID == row.ID })
	if i < 0 {
		return row, invalidError{fmt.Errorf("%s (id %d) is the repository of no customer", row.Name, row.ID)}
	}
	definitions, err := s.definitions(ctx, s.All[i])
	if err != nil {
		return row, err
	}
	repo, err := pipeline.ParseSlug(row.Name)
	if err != nil {
		return row, invalidError{err}
	}
	d, found := pipeline.DefinitionNamed(definitions, row.What)
	if !found {
		return row, invalidError{notDefined(repo.Owner, row.What, definitions)}
	}
	value, err := valueOf(row.New)
	if err == nil {
		err = d.Check(value)
	}
	if err != nil {
		return row, invalidError{fmt.Errorf("%s: %w", row, err)}
	}
	old, err := valueOf(row.Old)
	if err != nil {
		return row, invalidError{fmt.Errorf("%s: old: %w", row, err)}
	}
	row.What, row.Old, row.New = d.Name, canonical(old), canonical(value)
	return row, nil
}

// definitions are those of the owner of a customer's repository.
func (s *Setter) definitions(ctx context.Context, c pipeline.Customer) ([]pipeline.PropertyDefinition, error) {
	owner := strings.ToLower(c.Repository.Owner)
	if known, asked := s.defined[owner]; asked {
		return known, nil
	}
	list, err := s.GitHub.PropertyDefinitions(ctx, c.Repository)
	if pipeline.NotVisible(err) {
		if person, askErr := s.GitHub.OwnedByPerson(ctx, c.Repository); askErr == nil && person {
			return nil, pipeline.Usagef("%s belongs to a person, whose repositories have no custom properties (customer %s)", c.Repository, c.Name).
				Nextf("leave this customer out, or move the repository to an organization")
		}
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

// properties are those of a customer's repository, with the name that it has now.
func (s *Setter) properties(ctx context.Context, c pipeline.Customer, all []pipeline.Customer) (pipeline.Slug, pipeline.Properties, error) {
	owner := strings.ToLower(c.Repository.Owner)
	of := 0
	for _, other := range all {
		if strings.EqualFold(other.Repository.Owner, owner) {
			of++
		}
	}
	if !s.OneByOne && of > askedAlone {
		if s.listed[owner] == nil {
			list, err := s.GitHub.OrganizationProperties(ctx, c.Repository.Owner)
			if err != nil {
				return pipeline.Slug{}, pipeline.Properties{}, err
			}
			if s.listed == nil {
				s.listed = map[string]map[int64]pipeline.Properties{}
			}
			s.listed[owner] = list
		}
		if properties, is := s.listed[owner][c.RepositoryID]; is && properties.Known() {
			return c.Repository, properties, nil
		}
	}
	repo, properties, err := s.GitHub.RepositoryProperties(ctx, c.Repository)
	switch {
	case err != nil:
		err = fmt.Errorf("customer %s: %w", c.Name, err)
	case repo.ID != c.RepositoryID:
		err = pipeline.Usagef("%s has id %d, and %s says %d: the repository was replaced", c.Repository, repo.ID, c.File, c.RepositoryID).
			Nextf("find out whose repository it is, then correct %s", c.File)
	case !strings.EqualFold(repo.Slug.Owner, c.Repository.Owner):
		err = pipeline.Usagef("%s was transferred: it is %s now", c.Repository, repo.Slug).Nextf("make sure that the new owner may deploy, then change `repository` in %s", c.File)
	case !properties.Known():
		err = fmt.Errorf("customer %s: %w", c.Name, pipeline.ErrUnknownProperties)
	}
	return repo.Slug, properties, err
}

// canonical is a value in the form in which values are compared. The items of a list have no order.
func canonical(p pipeline.Property) json.RawMessage {
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

// valueOf reads a canonical value.
func valueOf(raw json.RawMessage) (pipeline.Property, error) {
	var p pipeline.Property
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, err
	}
	if p.Form == pipeline.PropertyOther {
		return p, fmt.Errorf("%s is no value of a property: write a text, a list of texts, or null", pipeline.Quote(string(raw)))
	}
	return p, nil
}
