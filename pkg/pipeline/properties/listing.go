package properties

import (
	"context"
	"errors"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ListGitHub lists the repositories of an organization with their properties, by id. A person is
// ErrNotFound.
type ListGitHub interface {
	OrganizationProperties(ctx context.Context, organization string) (map[int64]pipeline.RepositoryAnswer, error)
}

// askedAlone is how many repositories of one owner are asked for one by one: a call each, and no
// permission for the organization.
const askedAlone = 3

// listings are the lists of the owners of many of the repositories that will be asked for, each
// read once.
type listings struct {
	github ListGitHub
	of     map[string]int // how many repositories of each owner will be asked for, by lower-case name
	read   map[string]listing
}

type listing struct {
	all map[int64]pipeline.RepositoryAnswer
	err error
}

// newListings is for those repositories.
func newListings(github ListGitHub, repositories []pipeline.Customer) listings {
	l := listings{github: github, of: map[string]int{}, read: map[string]listing{}}
	for _, c := range repositories {
		l.of[strings.ToLower(c.Repository.Owner)]++
	}
	return l
}

// find is what a list says of the repository of a customer, under whatever name. It is not listed where
// its owner has few, or is a person, and where it has moved to another owner or is not shown.
func (l listings) find(ctx context.Context, c pipeline.Customer) (answer pipeline.RepositoryAnswer, listed bool, err error) {
	owner := strings.ToLower(c.Repository.Owner)
	if l.of[owner] <= askedAlone {
		return answer, false, nil
	}
	list, asked := l.read[owner]
	if !asked {
		if list.all, list.err = l.github.OrganizationProperties(ctx, c.Repository.Owner); errors.Is(list.err, pipeline.ErrNotFound) {
			list.err = nil // a person
		}
		l.read[owner] = list
	}
	answer, listed = list.all[c.RepositoryID]
	return answer, listed && list.err == nil, list.err
}
