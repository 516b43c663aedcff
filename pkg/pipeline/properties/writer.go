package properties

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// ValueWriter writes values of properties: the same ones to up to 30 repositories with one call.
type ValueWriter struct {
	GitHub ValuesGitHub
	// OneByOne: the token is for one repository at a time.
	OneByOne bool
}

// maxNames is how many repositories GitHub takes in one call.
// https://docs.github.com/rest/orgs/custom-properties#create-or-update-custom-property-values-for-organization-repositories
const maxNames = 30

// Batches implements change.Writer: repositories of one owner that get the same values.
func (w ValueWriter) Batches(rows []change.Row) [][]change.Row {
	var order []int64
	of := map[int64][]change.Row{} // by repository
	for _, r := range rows {
		if of[r.ID] == nil {
			order = append(order, r.ID)
		}
		of[r.ID] = append(of[r.ID], r)
	}
	most := maxNames
	if w.OneByOne {
		most = 1
	}
	var batches [][]change.Row
	open := map[string]int{} // the batch that has room for those values
	room := map[int]int{}
	for _, id := range order {
		key := same(of[id])
		at, known := open[key]
		if !known || room[at] == 0 {
			at = len(batches)
			batches, open[key], room[at] = append(batches, nil), at, most
		}
		batches[at] = append(batches[at], of[id]...)
		room[at]--
	}
	return batches
}

// same is equal for two repositories that one call can write.
func same(rows []change.Row) string {
	owner, _, _ := strings.Cut(rows[0].Name, "/")
	parts := make([]string, 0, len(rows))
	for _, r := range rows {
		parts = append(parts, fmt.Sprintf("%q=%s", r.What, r.New))
	}
	slices.Sort(parts)
	return owner + " " + strings.Join(parts, " ")
}

// Read implements change.Writer.
func (w ValueWriter) Read(ctx context.Context, rows []change.Row) []change.Seen {
	var repos []pipeline.Slug
	place := map[string]int{} // in repos, by name
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		slug, err := pipeline.ParseSlug(r.Name)
		if _, known := place[r.Name]; err != nil {
			seen[i].Err = err
		} else if !known {
			place[r.Name] = len(repos)
			repos = append(repos, slug)
		}
	}
	answers := w.answers(ctx, repos)
	for i, r := range rows {
		if seen[i].Err == nil {
			seen[i] = seenOf(r, answers[place[r.Name]])
		}
	}
	return seen
}

// answers asks for all repositories with one call, or for each alone where GitHub or the
// token does not allow that.
func (w ValueWriter) answers(ctx context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer {
	answers := make([]pipeline.RepositoryAnswer, len(repos))
	together := len(repos) > 1 && !w.OneByOne
	if together {
		answers = w.GitHub.RepositoriesProperties(ctx, repos)
	}
	for i, repo := range repos {
		if a := &answers[i]; !together || errors.Is(a.Err, errors.ErrUnsupported) {
			a.Repository, a.Properties, a.Err = w.GitHub.RepositoryProperties(ctx, repo)
		}
	}
	return answers
}

func seenOf(r change.Row, a pipeline.RepositoryAnswer) change.Seen {
	switch {
	case pipeline.NotVisible(a.Err) || pipeline.Gone(a.Err):
		return change.Seen{Gone: true}
	case a.Err != nil:
		return change.Seen{Err: a.Err}
	case !a.Properties.Known():
		return change.Seen{Err: pipeline.ErrUnknownProperties}
	}
	value := a.Properties.Get(r.What)
	if value.Form == pipeline.PropertyOther {
		return change.Seen{Err: fmt.Errorf("%s has a value that metapipe cannot read", r)}
	}
	place := change.Place{ID: a.ID, Name: a.Slug.String()}
	if strings.EqualFold(place.Name, r.Name) {
		place.Name = r.Name
	}
	return change.Seen{Place: place, Value: Canonical(value)}
}

// Write implements change.Writer.
func (w ValueWriter) Write(ctx context.Context, rows []change.Row) error {
	var names []pipeline.Slug
	values := map[string]pipeline.Property{}
	for _, r := range rows {
		slug, err := pipeline.ParseSlug(r.Name)
		if err != nil {
			return err
		}
		value, err := ParseValue(r.New)
		if err != nil {
			return err
		}
		if !slices.Contains(names, slug) {
			names = append(names, slug)
		}
		values[r.What] = value
	}
	return onePlace(w.GitHub.SetProperties(ctx, names, values))
}

// onePlace marks the refusals that one of several repositories may be the reason for.
func onePlace(err error) error {
	var unprocessable interface{ IsUnprocessable() bool }
	var permanent *pipeline.PermanentError
	if pipeline.NotVisible(err) || errors.As(err, &permanent) || errors.As(err, &unprocessable) && unprocessable.IsUnprocessable() {
		return &change.OnePlaceError{Err: err}
	}
	return err
}
