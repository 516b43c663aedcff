package sourcesync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GitHub reads the repositories that are written to, and what their properties can be.
type GitHub interface {
	// Repositories are all repositories of an organization; the list is whole, or an error.
	Repositories(ctx context.Context, organization string) ([]Repository, error)
	// PropertyDefinitions are those of the owner of a repository.
	PropertyDefinitions(ctx context.Context, via pipeline.Slug) ([]pipeline.PropertyDefinition, error)
}

// Repository is a repository of an organization.
type Repository struct {
	pipeline.Repository
	Properties pipeline.Properties
	Err        error // why nothing is known of it
}

// fleet are the repositories that can be written to.
type fleet struct {
	repos     []Repository                             // in the order of their names
	byID      map[int64]bool                           // all that have an id, also those that cannot be written to
	archived  map[int64]pipeline.Slug                  // no one can write to these
	byName    map[string]int64                         // in lower case
	byCust    map[string]int64                         // by the name of the customer
	customers map[int64][]pipeline.CustomerName        // by repository
	defined   map[string][]pipeline.PropertyDefinition // by owner, in lower case
}

// readFleet reads all organizations. One that cannot be read is an error: no one can say which rows are about it.
func (s *Sync) readFleet(ctx context.Context) (*fleet, []Finding, error) {
	f := &fleet{byID: map[int64]bool{}, archived: map[int64]pipeline.Slug{}, byName: map[string]int64{}, byCust: map[string]int64{}, customers: map[int64][]pipeline.CustomerName{}, defined: map[string][]pipeline.PropertyDefinition{}}
	var unread []Finding
	for _, organization := range s.Organizations() {
		repos, err := s.GitHub.Repositories(ctx, organization)
		if err != nil {
			return nil, nil, fmt.Errorf("read the repositories of %s: %w", organization, err)
		}
		for _, r := range repos {
			if f.byID[r.ID] {
				return nil, nil, fmt.Errorf("the repository with id %d is listed twice: run this again", r.ID)
			}
			if r.ID != 0 {
				f.byID[r.ID], f.byName[strings.ToLower(r.Slug.String())] = true, r.ID
			}
			if r.Err == nil && !r.Properties.Known() {
				r.Err = pipeline.ErrUnknownProperties
			}
			switch {
			case r.Archived:
				f.archived[r.ID] = r.Slug
			case r.Err != nil:
				name := "a repository of " + organization
				if r.Name != "" {
					name = r.Slug.String()
				}
				unread = append(unread, Finding{Kind: Unread, Repository: name, RepositoryID: r.ID, Message: "it could not be read: " + r.Err.Error()})
			default:
				f.repos = append(f.repos, r)
			}
		}
	}
	slices.SortFunc(f.repos, func(a, b Repository) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Slug.String()), strings.ToLower(b.Slug.String())), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range s.Customers {
		f.byCust[string(c.Name)] = c.RepositoryID
		f.customers[c.RepositoryID] = append(f.customers[c.RepositoryID], c.Name)
	}
	for _, names := range f.customers {
		slices.Sort(names)
	}
	return f, unread, nil
}

// Organizations are those of sync.yml, or the owners of the customers' repositories, each once.
func (s *Sync) Organizations() []string {
	names := slices.Clone(s.Config.Organizations)
	if len(names) == 0 {
		for _, c := range s.Customers {
			names = append(names, c.Repository.Owner)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return slices.CompactFunc(names, strings.EqualFold)
}

// find is the repository that a key names; 0: none.
func (f *fleet) find(kind Key, key string) int64 {
	var id int64
	switch kind {
	case KeyID:
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != key {
			return 0
		}
		id = n
	case KeyRepository:
		id = f.byName[strings.ToLower(key)]
	case KeyCustomer:
		id = f.byCust[key]
	}
	if !f.byID[id] {
		return 0
	}
	return id
}

// definition is that of a property of a repository.
func (f *fleet) definition(ctx context.Context, github GitHub, repo pipeline.Slug, property string) (pipeline.PropertyDefinition, error) {
	owner := strings.ToLower(repo.Owner)
	list, asked := f.defined[owner]
	if !asked {
		var err error
		if list, err = github.PropertyDefinitions(ctx, repo); err != nil {
			return pipeline.PropertyDefinition{}, fmt.Errorf("read the definitions of %s: %w", repo.Owner, err)
		}
		f.defined[owner] = list
	}
	d, found := pipeline.DefinitionNamed(list, property)
	if !found {
		return d, &notDefinedError{owner: repo.Owner, property: property}
	}
	return d, nil
}

// notDefinedError says that an organization has no such property.
type notDefinedError struct{ owner, property string }

func (e *notDefinedError) Error() string {
	return fmt.Sprintf("%s defines no custom property %s: define it first (metapipe properties schema)", e.owner, e.property)
}

func isNotDefined(err error) bool {
	var not *notDefinedError
	return errors.As(err, &not)
}
