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

// FromFile is the plan of a file. The values that it expects are those of the file, which are
// compared when it is applied. A repository that was renamed since has its present name in the plan.
// Notes are as those of Plan.
func (s *Setter) FromFile(ctx context.Context, f change.File) (p change.Plan, notes []string, err error) {
	s.expect(s.inFile(f))
	var rows []change.Row
	var wrong []string
	for _, in := range f.Rows {
		row, renamed, err := s.fileRow(ctx, in)
		for _, note := range renamed {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
		var invalid invalidError
		if errors.As(err, &invalid) {
			wrong = append(wrong, err.Error())
		} else if err != nil {
			return p, nil, err
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		return p, nil, pipeline.Usagef("the values of the file cannot be set, and none is:\n  %s", strings.Join(wrong, "\n  ")).Nextf("correct the file")
	}
	return change.NewPlan(KindValues, len(byRepository(s.All)), rows), notes, nil
}

// invalidError is something wrong with a row of a file.
type invalidError struct{ error }

// inFile are the customers whose repositories a file names.
func (s *Setter) inFile(f change.File) (customers []pipeline.Customer) {
	named := map[int64]bool{}
	for _, r := range f.Rows {
		named[r.Place.ID] = true
	}
	return slices.DeleteFunc(byRepository(s.All), func(c pipeline.Customer) bool { return !named[c.RepositoryID] })
}

func (s *Setter) fileRow(ctx context.Context, in change.FileRow) (row change.Row, notes []string, err error) {
	row = in.Row()
	row.Customers = s.inRepository(row.ID)
	i := slices.IndexFunc(s.All, func(c pipeline.Customer) bool { return c.RepositoryID == row.ID })
	if i < 0 {
		return row, notes, invalidError{fmt.Errorf("%s (id %d) is the repository of no customer", row.Name, row.ID)}
	}
	notes, same, err := s.presentName(ctx, s.All[i], &row)
	if err != nil || !same {
		return row, notes, err
	}
	definitions, err := s.definitions(ctx, s.All[i])
	if err != nil {
		return row, notes, err
	}
	d, found := pipeline.DefinitionNamed(definitions, row.What)
	if !found {
		return row, notes, invalidError{notDefined(s.All[i].Repository.Owner, row.What, definitions)}
	}
	value, err := ParseValue(row.New)
	if err == nil {
		err = d.Check(value)
	}
	if err != nil {
		return row, notes, invalidError{fmt.Errorf("%s: %w", row, err)}
	}
	old, err := ParseValue(row.Old)
	if err != nil {
		return row, notes, invalidError{fmt.Errorf("%s: old: %w", row, err)}
	}
	row.What, row.Old, row.New = d.Name, Canonical(old), Canonical(value)
	return row, notes, nil
}

// presentName gives a row the name that its repository has now. A repository that is gone, was replaced or
// has another owner keeps the name of the file and is not the same: its row will be refused, and the
// others are written.
func (s *Setter) presentName(ctx context.Context, c pipeline.Customer, row *change.Row) (notes []string, same bool, err error) {
	old, err := pipeline.ParseSlug(row.Name)
	if err != nil {
		return nil, false, invalidError{err}
	}
	answer, err := s.find(ctx, c)
	switch {
	case pipeline.NotVisible(err) || pipeline.Gone(err):
		return []string{row.Name + " is not there any more, or the token may not see it: its values will be refused"}, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("customer %s: %w", c.Name, err)
	case answer.ID != c.RepositoryID:
		return []string{fmt.Sprintf("%s is another repository now, with the id %d: its values will be refused", c.Repository, answer.ID)}, false, nil
	case !strings.EqualFold(answer.Slug.Owner, old.Owner):
		return []string{fmt.Sprintf("%s was transferred: it is %s now, and its values will be refused", row.Name, answer.Slug)}, false, nil
	}
	row.Name = answer.Slug.String()
	return s.renamed(c.RepositoryID, answer.Slug), true, nil
}
