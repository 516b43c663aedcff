package properties

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Change is a new value of a property of a repository.
type Change struct {
	Repository pipeline.Repository
	Name       string // of the property
	Old, New   pipeline.Property
	Reason     string
}

// NewPlan is the plan that makes the changes. fleet is how many repositories there are in all; the ledger of a
// customer records what is written to its repository.
func NewPlan(fleet int, customers []pipeline.Customer, changes []Change) change.Plan {
	s := Setter{All: customers}
	rows := make([]change.Row, len(changes))
	for i, c := range changes {
		rows[i] = change.Row{Place: change.Place{ID: c.Repository.ID, Name: c.Repository.Slug.String()}, What: c.Name, Old: Canonical(c.Old), New: Canonical(c.New),
			Reason: c.Reason, Customers: s.inRepository(c.Repository.ID)}
	}
	return change.NewPlan(KindValues, fleet, rows)
}

// PlanOf is the plan of a file for any repositories, customers or not. What it expects to be there is compared
// when it is applied; a repository that has another name by then is refused.
func PlanOf(f change.File, customers []pipeline.Customer) (change.Plan, error) {
	s := Setter{All: customers}
	places := map[int64]bool{}
	rows := make([]change.Row, len(f.Rows))
	for i, in := range f.Rows {
		row := in.Row()
		old, err := ParseValue(row.Old)
		if err != nil {
			return change.Plan{}, pipeline.Usagef("%s: old", row).Because(err).Nextf("correct the file")
		}
		next, err := ParseValue(row.New)
		if err != nil {
			return change.Plan{}, pipeline.Usagef("%s: new", row).Because(err).Nextf("correct the file")
		}
		row.Old, row.New, row.Customers = Canonical(old), Canonical(next), s.inRepository(row.ID)
		places[row.ID], rows[i] = true, row
	}
	return change.NewPlan(KindValues, len(places), rows), nil
}
