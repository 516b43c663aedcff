package fleetstatus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// propertyReader asks GitHub for the properties of customers' repositories with few calls.
type propertyReader struct {
	github   PropertiesGitHub
	oneByOne bool
	read     map[pipeline.CustomerName]pipeline.RepositoryAnswer
	owners   map[string]int // how many customers each owner has
	known    map[string]organization
}

// organization is the answer about an owner.
type organization struct {
	values map[int64]pipeline.RepositoryAnswer
	err    error
}

func newPropertyReader(github PropertiesGitHub, customers []pipeline.Customer, oneByOne bool) *propertyReader {
	r := &propertyReader{github: github, oneByOne: oneByOne, read: map[pipeline.CustomerName]pipeline.RepositoryAnswer{},
		owners: map[string]int{}, known: map[string]organization{}}
	for _, c := range customers {
		r.owners[strings.ToLower(c.Repository.Owner)]++
	}
	return r
}

// together asks for all repositories at once. It keeps no answer where GitHub does not let
// this token, or anyone, ask so.
func (r *propertyReader) together(ctx context.Context, customers []pipeline.Customer) {
	var names []pipeline.CustomerName
	var repos []pipeline.Slug
	for _, c := range customers {
		if c.Manager.Properties != nil {
			names, repos = append(names, c.Name), append(repos, c.Repository)
		}
	}
	if r.oneByOne || len(repos) < 2 {
		return
	}
	for i, answer := range r.github.RepositoriesProperties(ctx, repos) {
		if !errors.Is(answer.Err, errors.ErrUnsupported) {
			r.read[names[i]] = answer
		}
	}
}

// of is the answer about the repository of a customer, which must be that repository.
func (r *propertyReader) of(ctx context.Context, c pipeline.Customer) pipeline.RepositoryAnswer {
	answer, read := r.read[c.Name]
	if !read {
		answer = r.apart(ctx, c)
	}
	if answer.Err == nil && answer.ID != c.RepositoryID {
		return pipeline.RepositoryAnswer{Err: fmt.Errorf("%s has id %d, and %s says %d: the repository was replaced", c.Repository, answer.ID, c.File, c.RepositoryID)}
	}
	return answer
}

// apart asks for the repositories of an organization with many customers, else for one.
func (r *propertyReader) apart(ctx context.Context, c pipeline.Customer) pipeline.RepositoryAnswer {
	owner := strings.ToLower(c.Repository.Owner)
	if r.oneByOne || r.owners[owner] <= askedAlone {
		return r.alone(ctx, c)
	}
	o, asked := r.known[owner]
	if !asked {
		o.values, o.err = r.github.OrganizationProperties(ctx, c.Repository.Owner)
		if errors.Is(o.err, pipeline.ErrNotFound) {
			o.err = nil // a person
		}
		r.known[owner] = o
	}
	switch answer, listed := o.values[c.RepositoryID]; {
	case o.err != nil:
		return pipeline.RepositoryAnswer{Err: o.err}
	case listed:
		return answer
	}
	return r.alone(ctx, c) // of a person, moved to another owner, or not shown in the list
}

func (r *propertyReader) alone(ctx context.Context, c pipeline.Customer) pipeline.RepositoryAnswer {
	repo, properties, err := r.github.RepositoryProperties(ctx, c.Repository)
	return pipeline.RepositoryAnswer{Repository: repo, Properties: properties, Err: err}
}
