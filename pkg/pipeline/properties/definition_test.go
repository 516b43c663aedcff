package properties_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// definition is the fields of one.
type definition map[string]json.RawMessage

func defined(t *testing.T, text string) definition {
	t.Helper()
	var d definition
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// definingHub keeps definitions as they were written, and adds the fields of adds to what it shows.
type definingHub struct {
	properties.SchemaGitHub
	all  map[string]definition
	adds definition
}

func (h *definingHub) PropertyDefinitions(context.Context, pipeline.Slug) ([]pipeline.PropertyDefinition, error) {
	var all []pipeline.PropertyDefinition
	for name, fields := range h.all {
		shown := definition{"property_name": json.RawMessage(`"` + name + `"`), "source_type": json.RawMessage(`"organization"`)}
		for _, from := range []definition{h.adds, fields} {
			for field, value := range from {
				shown[field] = value
			}
		}
		raw, err := json.Marshal(shown)
		if err != nil {
			return nil, err
		}
		d, err := pipeline.ParsePropertyDefinition(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (h *definingHub) OrganizationProperties(context.Context, string) (map[int64]pipeline.RepositoryAnswer, error) {
	return map[int64]pipeline.RepositoryAnswer{}, nil
}

func (h *definingHub) DefineProperties(_ context.Context, _ string, all map[string]map[string]json.RawMessage) error {
	for name, fields := range all {
		h.all[name] = fields
	}
	return nil
}

func (h *definingHub) DeleteProperty(_ context.Context, _, name string) error {
	delete(h.all, name)
	return nil
}

// definingRun is one command: its plan, and what was kept of it.
type definingRun struct {
	t       *testing.T
	hub     *definingHub
	applier *change.Applier
	kept    []change.Row
}

func newDefiningRun(t *testing.T, hub *definingHub) *definingRun {
	t.Helper()
	w := pipelinetest.New(t)
	r := &definingRun{t: t, hub: hub}
	r.applier = &change.Applier{Writer: properties.SchemaWriter{GitHub: hub}, Now: time.Now, Sleep: func(context.Context, time.Duration) error { return nil }, Actor: "kim",
		Ledger: ledger.Ledger{Records: record.Records{Store: w.Store, Sealer: w.Sealer}, Now: time.Now}, Keep: func(rows []change.Row) error { r.kept = rows; return nil }}
	return r
}

func (r *definingRun) definer() properties.Definer {
	return properties.Definer{GitHub: r.hub, Owners: []pipeline.Slug{{Owner: "acme", Name: "shop"}}}
}

// plan wants one definition.
func (r *definingRun) plan(wanted pipeline.WantedProperty) change.Plan {
	r.t.Helper()
	rules := pipeline.DefaultPropertyRules()
	rules.Names, rules.Definitions = nil, []pipeline.WantedProperty{wanted}
	p, _, err := r.definer().Plan(r.t.Context(), pipeline.Manager{Properties: &rules}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// apply applies a plan of one row, which must end so.
func (r *definingRun) apply(p change.Plan, want change.Status) {
	r.t.Helper()
	results := r.applier.Apply(r.t.Context(), p)
	if len(results) != 1 || results[0].Status != want {
		r.t.Errorf("%+v, want one row that is %s", results, want)
	}
}

// undo is the plan that takes p back, by way of its file.
func (r *definingRun) undo(p change.Plan) change.Plan {
	r.t.Helper()
	raw, err := change.Undo(p, r.kept).Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	file, err := change.ParseFile(raw, properties.KindSchema)
	if err != nil {
		r.t.Fatal(err)
	}
	back, err := r.definer().FromFile(r.t.Context(), file)
	if err != nil {
		r.t.Fatal(err)
	}
	return back
}

var editable = pipeline.WantedProperty{Name: "tier", Type: pipeline.PropertyString, EditableBy: pipeline.EditableByRepository}

// TestSchemaUndoWhereFieldsAreLeftOut: what a change has added to a definition is taken back, also where
// the former definition had no such field.
func TestSchemaUndoWhereFieldsAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, adds := range []string{`{}`, `{"description":null,"required":false,"default_value":null,"values_editable_by":"org_actors","require_explicit_values":false}`} {
		r := newDefiningRun(t, &definingHub{all: map[string]definition{"tier": defined(t, `{"value_type":"string"}`)}, adds: defined(t, adds)})
		p := r.plan(editable)
		r.apply(p, change.Written)
		r.apply(r.plan(editable), change.Same)
		back := r.undo(p)
		r.apply(back, change.Written)
		if got := string(r.hub.all["tier"]["values_editable_by"]); got != "" && got != `"org_actors"` {
			t.Errorf("%s: after the undo the values can be edited by %s", adds, got)
		}
		r.apply(back, change.Same)
	}
}

// TestSchemaKeepsWhatChangedSinceThePlan: a field that someone has added since is no part of the plan.
func TestSchemaKeepsWhatChangedSinceThePlan(t *testing.T) {
	t.Parallel()
	for _, since := range []string{`"description":"of the owner"`, `"required":true,"default_value":"x"`, `"values_editable_by":"org_and_repo_actors","description":"x"`, `"some_day":true`} {
		r := newDefiningRun(t, &definingHub{all: map[string]definition{"tier": defined(t, `{"value_type":"string"}`)}})
		p := r.plan(editable)
		changed := `{"value_type":"string",` + since + `}`
		r.hub.all["tier"] = defined(t, changed)
		r.apply(p, change.Refused)
		if got := fmt.Sprint(r.hub.all["tier"]); got != fmt.Sprint(defined(t, changed)) {
			t.Errorf("%s was overwritten: %s", changed, got)
		}
	}
}

// TestSchemaOfANewDefinition: GitHub may show more of a new definition than was written, or less. Its way
// back deletes it, but not with what someone has added.
func TestSchemaOfANewDefinition(t *testing.T) {
	t.Parallel()
	wanted := pipeline.WantedProperty{Name: "tier", Type: pipeline.PropertyString, EditableBy: pipeline.EditableByOrg}
	for _, adds := range []string{`{}`, `{"description":null,"required":false,"default_value":null,"allowed_values":[],"some_day":false}`} {
		r := newDefiningRun(t, &definingHub{all: map[string]definition{}, adds: defined(t, adds)})
		p := r.plan(wanted)
		r.apply(p, change.Written)
		delete(r.hub.all["tier"], "values_editable_by") // the default
		r.apply(p, change.Same)
		r.apply(r.plan(wanted), change.Same)
		back := r.undo(p)
		r.hub.all["tier"]["description"] = json.RawMessage(`"of the owner"`)
		r.apply(back, change.Refused)
		delete(r.hub.all["tier"], "description")
		r.apply(back, change.Written)
		if len(r.hub.all) > 0 {
			t.Errorf("%s: still there: %v", adds, r.hub.all)
		}
	}
	r := newDefiningRun(t, &definingHub{all: map[string]definition{}, adds: defined(t, `{"some_day":true}`)})
	r.apply(r.plan(wanted), change.Written)
}
