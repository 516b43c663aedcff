package properties_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

func row(id int, owner, what, value string) change.Row {
	return change.Row{Place: change.Place{ID: int64(id), Name: fmt.Sprintf("%s/r%d", owner, id)}, What: what, Old: json.RawMessage("null"), New: json.RawMessage(value)}
}

// TestBatches: a call names at most 30 repositories of one owner, which all get the same values, and
// each repository is in one call.
func TestBatches(t *testing.T) {
	t.Parallel()
	var rows []change.Row
	for i := range 65 {
		rows = append(rows, row(i, "acme", "team", `"a"`))
	}
	rows = append(rows, row(70, "acme", "team", `"b"`), row(71, "other", "team", `"a"`))
	for i := range 65 {
		if i%2 == 0 {
			rows = append(rows, row(i, "acme", "tier", `"x"`))
		}
	}
	var got []string
	seen := map[int64]int{}
	for n, batch := range (properties.ValueWriter{}).Batches(rows) {
		repositories := map[int64]bool{}
		for _, r := range batch {
			if before, is := seen[r.ID]; is && before != n {
				t.Errorf("%s is in two calls", r.Name)
			}
			seen[r.ID], repositories[r.ID] = n, true
		}
		got = append(got, fmt.Sprintf("%d/%d", len(repositories), len(batch)))
	}
	if want := "[30/60 30/30 3/6 2/2 1/1 1/1]"; fmt.Sprint(got) != want || len(seen) != 67 {
		t.Errorf("%v of %d repositories, want %s", got, len(seen), want)
	}
	total := 0
	for _, batch := range (properties.ValueWriter{}).Batches(rows) {
		total += len(batch)
	}
	if total != len(rows) || len(got) != 6 {
		t.Errorf("%d rows in %v", total, got)
	}
	for _, batch := range (properties.ValueWriter{OneByOne: true}).Batches(rows) {
		for _, r := range batch {
			if r.ID != batch[0].ID {
				t.Error("an App writes two repositories with one call")
			}
		}
	}
}

// TestSchemaBatches: all definitions of an organization that are written go in one call, and one that
// is deleted in a call of its own.
func TestSchemaBatches(t *testing.T) {
	t.Parallel()
	in := func(organization, what, value string) change.Row {
		return change.Row{Place: change.Place{Name: organization}, What: what, New: json.RawMessage(value)}
	}
	var got []string
	for _, batch := range (properties.SchemaWriter{}).Batches([]change.Row{in("a", "x", "{}"), in("b", "x", "{}"), in("a", "gone", "null"), in("a", "y", "{}"), in("b", "gone", "null")}) {
		line := batch[0].Name + ":"
		for _, r := range batch {
			line += " " + r.What
		}
		got = append(got, line)
	}
	if fmt.Sprint(got) != "[a: x y b: x a: gone b: gone]" {
		t.Errorf("%q", got)
	}
}

// TestChecks: a definition says which of 200 values is near, and not all of them.
func TestChecks(t *testing.T) {
	t.Parallel()
	d := pipeline.PropertyDefinition{Name: "version", Type: pipeline.PropertySingleSelect}
	for i := range 200 {
		d.Allowed = append(d.Allowed, fmt.Sprintf("release-%d", i))
	}
	err := d.Check(pipeline.Property{Form: pipeline.PropertyText, Text: "release-1999"})
	if err == nil || len(err.Error()) > 400 || len(err.Error()) < 100 {
		t.Errorf("%v", err)
	}
	if err := d.Check(pipeline.Property{}); err != nil {
		t.Errorf("no value: %v", err)
	}
}
