package properties

import (
	"context"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// finder is what is known of repositories.
type finder struct {
	lists listings
	alone map[int64]pipeline.RepositoryAnswer
}

// expect says which repositories will be asked for.
func (s *Setter) expect(repositories []pipeline.Customer) {
	s.found = finder{lists: newListings(s.GitHub, repositories), alone: map[int64]pipeline.RepositoryAnswer{}}
}

// find is the repository of a customer as it is, with its present name. GitHub finds one that was renamed
// or transferred under its former name, too; what has that name may also be another repository.
func (s *Setter) find(ctx context.Context, c pipeline.Customer) (pipeline.RepositoryAnswer, error) {
	if !s.OneByOne {
		answer, listed, err := s.found.lists.find(ctx, c)
		if err != nil || listed && answer.Properties.Known() {
			return answer, err
		}
	}
	answer, asked := s.found.alone[c.RepositoryID]
	if !asked {
		answer.Repository, answer.Properties, answer.Err = s.GitHub.RepositoryProperties(ctx, c.Repository)
		s.found.alone[c.RepositoryID] = answer
	}
	return answer, answer.Err
}

// properties are those of a customer's repository, with the name that it has now.
func (s *Setter) properties(ctx context.Context, c pipeline.Customer) (pipeline.Slug, pipeline.Properties, error) {
	answer, err := s.find(ctx, c)
	repo := answer.Slug
	switch {
	case err != nil:
		err = fmt.Errorf("customer %s: %w", c.Name, err)
	case answer.ID != c.RepositoryID:
		err = pipeline.Usagef("%s has id %d, and %s says %d: the repository was replaced", c.Repository, answer.ID, c.File, c.RepositoryID).
			Nextf("find out whose repository it is, then correct %s", c.File)
	case !strings.EqualFold(repo.Owner, c.Repository.Owner):
		err = pipeline.Usagef("%s was transferred: it is %s now", c.Repository, repo).Nextf("make sure that the new owner may deploy, then change `repository` in %s", c.File)
	case !answer.Properties.Known():
		err = fmt.Errorf("customer %s: %w", c.Name, pipeline.ErrUnknownProperties)
	}
	return repo, answer.Properties, err
}

// renamed names the files of customers that have a former name of a repository.
func (s *Setter) renamed(id int64, now pipeline.Slug) (notes []string) {
	for _, c := range s.All {
		if c.RepositoryID == id && !strings.EqualFold(c.Repository.String(), now.String()) {
			notes = append(notes, fmt.Sprintf("%s was renamed: it is %s now; change `repository` in %s", c.Repository, now, c.File))
		}
	}
	return notes
}
