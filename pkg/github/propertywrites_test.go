package github_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func text(s string) pipeline.Property {
	return pipeline.Property{Form: pipeline.PropertyText, Text: s}
}

func list(s ...string) pipeline.Property {
	return pipeline.Property{Form: pipeline.PropertyList, List: s}
}

// TestPropertyDefinitions: what was read is written again as a whole, with the fields that
// metapipe does not manage, and a definition can be taken away.
func TestPropertyDefinitions(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	defineTeam(t, nil, w)
	check(t, w.hub.DefineProperties("acme",
		hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "dns"}, EditableBy: hub.OrgAndRepoActors, Description: "Which tools", RequireExplicit: true},
		hub.PropertyDefinition{Name: "tier", Type: hub.SingleSelect, Allowed: []string{"free", "paid"}, Required: true, Default: "free"},
		hub.PropertyDefinition{Name: "class", Type: hub.TextProperty, Enterprise: true},
	))
	c := w.client()
	all := must(c.PropertyDefinitions(t.Context(), acme))(t)
	tools, found := pipeline.DefinitionNamed(all, "Tools")
	if !found || tools.Type != pipeline.PropertyMultiSelect || tools.EditableBy != pipeline.EditableByRepository || !slices.Equal(tools.Allowed, []string{"terraform", "dns"}) {
		t.Errorf("%+v", tools)
	}
	if class, _ := pipeline.DefinitionNamed(all, "class"); !class.Enterprise || class.EditableBy != pipeline.EditableByOrg {
		t.Errorf("%+v", class)
	}
	if tier, _ := pipeline.DefinitionNamed(all, "tier"); !tier.Required || tier.Default.Text != "free" {
		t.Errorf("%+v", tier)
	}
	check(t, c.DefineProperties(t.Context(), "acme", map[string]map[string]json.RawMessage{
		"tools": tools.With(map[string]json.RawMessage{"allowed_values": json.RawMessage(`["terraform"]`)}), "extra": {"value_type": json.RawMessage(`"url"`)},
	}))
	all = must(c.PropertyDefinitions(t.Context(), acme))(t)
	tools, _ = pipeline.DefinitionNamed(all, "tools")
	if len(all) != 4 || !slices.Equal(tools.Allowed, []string{"terraform"}) || tools.EditableBy != pipeline.EditableByRepository ||
		string(tools.Fields["description"]) != `"Which tools"` || string(tools.Fields["require_explicit_values"]) != "true" {
		t.Errorf("%d definitions, %s", len(all), tools.Fields)
	}
	for range 2 {
		check(t, c.DeleteProperty(t.Context(), "acme", "extra"))
	}
	var e *github.Error
	for name, err := range map[string]error{
		"of the enterprise": c.DefineProperties(t.Context(), "acme", map[string]map[string]json.RawMessage{"class": {"value_type": json.RawMessage(`"string"`)}}),
		"of a person":       c.DefineProperties(t.Context(), "kim", map[string]map[string]json.RawMessage{"class": {"value_type": json.RawMessage(`"string"`)}}),
		"deleted there":     c.DeleteProperty(t.Context(), "kim", "class"),
	} {
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.PropertyDefinitions(t.Context(), pipeline.Slug{Owner: "kim"}); !pipeline.NotVisible(err) {
		t.Errorf("of a person: %v", err)
	}
	for _, body := range []string{
		`null`, `{}`, `[null]`, `[{"property_name":"x"}]`, `[{"value_type":"string"}]`, `[{"property_name":"x","value_type":"string","allowed_values":"y"}]`,
		`[{"property_name":"x","value_type":"string"},{"property_name":"X","value_type":"string"}]`,
	} {
		if got, err := w.client(answering(body)).PropertyDefinitions(t.Context(), acme); err == nil {
			t.Errorf("%s is taken for %+v", body, got)
		}
	}
}

// TestSetProperties: lists, texts and no value at all reach GitHub as such; what one of several
// repositories cannot have, none gets.
func TestSetProperties(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	defineTeam(t, nil, w)
	check(t, w.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "team", Type: hub.TextProperty},
		hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "dns"}}))
	w.customer.SetProperties(hub.Properties{"team": "red"})
	c := w.client()
	shown := func() string {
		_, properties, err := c.RepositoryProperties(t.Context(), acme)
		check(t, err)
		return string(must(json.Marshal([]pipeline.Property{properties.Get("team"), properties.Get("tools")}))(t))
	}
	for _, step := range []struct {
		values map[string]pipeline.Property
		want   string
	}{
		{map[string]pipeline.Property{"tools": list("dns"), "team": text("it's (blue); $(x)")}, `["it's (blue); $(x)",["dns"]]`},
		{map[string]pipeline.Property{"tools": list()}, `["it's (blue); $(x)",[]]`},
		{map[string]pipeline.Property{"team": {}}, `[null,[]]`},
	} {
		check(t, c.SetProperties(t.Context(), []pipeline.Slug{acme}, step.values))
		if got := shown(); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
	many := slices.Repeat([]pipeline.Slug{acme}, 31)
	for _, repositories := range [][]pipeline.Slug{{acme, {Owner: "acme", Name: "nothing"}}, {}, many, {acme, {Owner: "kim", Name: "shop"}}} {
		if err := c.SetProperties(t.Context(), repositories, map[string]pipeline.Property{"team": text("green")}); err == nil {
			t.Errorf("%q: no error", repositories)
		}
	}
	if got := shown(); got != `[null,[]]` {
		t.Errorf("after the refusals: %s", got)
	}
	if person, err := c.OwnedByPerson(t.Context(), acme); err != nil || person {
		t.Errorf("acme is a person: %v, %v", person, err)
	}
	must(w.hub.AddRepo("kim", "own", hub.RepoOptions{}))(t)
	if person, err := c.OwnedByPerson(t.Context(), pipeline.Slug{Owner: "kim", Name: "own"}); err != nil || !person {
		t.Errorf("kim is a person: %v, %v", person, err)
	}
	if _, err := w.client(answering(`{}`)).OwnedByPerson(t.Context(), acme); err == nil {
		t.Error("an answer without an owner is taken for one")
	}
}
