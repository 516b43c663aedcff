package properties

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// SchemaWriter writes definitions: all of an organization with one call, or none.
type SchemaWriter struct{ GitHub SchemaGitHub }

// Batches implements change.Writer. A definition that goes is a batch of its own.
func (w SchemaWriter) Batches(rows []change.Row) [][]change.Row {
	var batches [][]change.Row
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.Name]
		switch {
		case change.IsNone(r.New):
			batches = append(batches, []change.Row{r})
		case known:
			batches[i] = append(batches[i], r)
		default:
			at[r.Name] = len(batches)
			batches = append(batches, []change.Row{r})
		}
	}
	return batches
}

// Read implements change.Writer.
func (w SchemaWriter) Read(ctx context.Context, rows []change.Row) []change.Seen {
	type answer struct {
		list []pipeline.PropertyDefinition
		err  error
	}
	asked := map[string]answer{}
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		a, known := asked[r.Name]
		if !known {
			a.list, a.err = w.GitHub.PropertyDefinitions(ctx, pipeline.Slug{Owner: r.Name})
			asked[r.Name] = a
		}
		switch {
		case pipeline.NotVisible(a.err):
			seen[i].Gone = true
		case a.err != nil:
			seen[i].Err = a.err
		default:
			seen[i].Place, seen[i].Value = r.Place, present(r, a.list)
		}
	}
	return seen
}

// present is the definition as it is, in the words of the row where it says the same. A definition
// that is new may have more than its row names.
func present(r change.Row, all []pipeline.PropertyDefinition) json.RawMessage {
	d, found := pipeline.DefinitionNamed(all, r.What)
	if !found {
		return change.None
	}
	is := canonicalFields(d.Fields)
	switch {
	case sameDefinition(is, r.New), change.IsNone(r.Old) && covers(is, r.New):
		return r.New
	case sameDefinition(is, r.Old):
		return r.Old
	}
	return is
}

// Write implements change.Writer. It looks once more whether a value is lost: a repository may have
// got one since the plan was made.
func (w SchemaWriter) Write(ctx context.Context, rows []change.Row) error {
	organization := rows[0].Name
	use := usage{github: w.GitHub, organization: organization}
	definitions := map[string]map[string]json.RawMessage{}
	for _, r := range rows {
		why, err := use.blocks(ctx, r)
		if err != nil {
			return err
		}
		if why != "" {
			return fmt.Errorf("%s: %s", r, why)
		}
		if change.IsNone(r.New) {
			return w.GitHub.DeleteProperty(ctx, organization, r.What)
		}
		if definitions[r.What], err = fieldsOf(r.New); err != nil {
			return err
		}
	}
	return w.GitHub.DefineProperties(ctx, organization, definitions)
}
