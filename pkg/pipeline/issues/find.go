package issues

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// repository is what one run knows of a customer's repository.
type repository struct {
	slug  pipeline.Slug // as GitHub spells it today
	err   error
	ours  []Issue // that carry a marker
	asked bool
}

// repo makes sure, before anything is written, that the repository is still the
// customer's: its name may belong to another repository now, and the repository to
// another account.
func (w *work) repo(ctx context.Context, c pipeline.Customer) *repository {
	key := fmt.Sprint(c.Name, " ", c.RepositoryID)
	if repo, ok := w.repos[key]; ok {
		return repo
	}
	repo := &repository{}
	got, err := w.GitHub.Repository(ctx, c.Repository)
	if err != nil {
		of := ""
		if c.Name != "" { // the manager has none
			of = fmt.Sprintf(" of customer %s", c.Name)
		}
		repo.err = fmt.Errorf("look up repository %s%s: %w", c.Repository, of, err)
	} else {
		repo.err = c.CheckRepository(got)
	}
	repo.slug = got.Slug
	w.repos[key] = repo
	return repo
}

// find returns the issue of a key: by its number, or else by its marker. It is
// ours when both the marker and the author are: anybody can paste a marker.
func (w *work) find(ctx context.Context, repo *repository, t task, number int) (Issue, bool, error) {
	login, err := w.GitHub.Login(ctx)
	if err != nil {
		return Issue{}, false, fmt.Errorf("find out who we are: %w", err)
	}
	marker := w.Marker(t.Finding)
	ours := func(i Issue) bool { return strings.EqualFold(i.Author, login) && strings.HasPrefix(i.Body, marker) }
	if number > 0 {
		issue, err := w.GitHub.Issue(ctx, repo.slug, number)
		if err == nil && ours(issue) {
			return issue, true, nil
		}
		if err != nil && !pipeline.NotVisible(err) && !pipeline.Gone(err) {
			return Issue{}, false, err
		} // that the token may read issues is seen below
	}
	if !repo.asked {
		if repo.ours, err = w.GitHub.Issues(ctx, repo.slug, w.Kind.Label); err != nil {
			return Issue{}, false, err
		}
		repo.asked = true
	}
	candidates := slices.DeleteFunc(slices.Clone(repo.ours), func(i Issue) bool { return !ours(i) })
	if len(candidates) == 0 {
		return Issue{}, false, nil
	}
	// An open one before closed ones, and then the newest.
	return slices.MaxFunc(candidates, func(a, b Issue) int {
		if n := falseFirst(a.State == "open", b.State == "open"); n != 0 {
			return n
		}
		return a.Number - b.Number
	}), true, nil
}
