package properties

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// propertyReader asks GitHub for the properties of customers' repositories with few calls.
type propertyReader struct {
	github   ShowGitHub
	oneByOne bool
	read     map[pipeline.CustomerName]pipeline.RepositoryAnswer
	lists    listings
}

func newPropertyReader(github ShowGitHub, customers []pipeline.Customer, oneByOne bool) *propertyReader {
	return &propertyReader{github: github, oneByOne: oneByOne, read: map[pipeline.CustomerName]pipeline.RepositoryAnswer{}, lists: newListings(github, customers)}
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
	if !r.oneByOne {
		answer, listed, err := r.lists.find(ctx, c)
		if err != nil {
			return pipeline.RepositoryAnswer{Err: err}
		}
		if listed {
			return answer
		}
	}
	repo, properties, err := r.github.RepositoryProperties(ctx, c.Repository)
	return pipeline.RepositoryAnswer{Repository: repo, Properties: properties, Err: err}
}
