package properties_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

// organization is one without any property.
type organization struct{ properties.SchemaGitHub }

func (organization) PropertyDefinitions(context.Context, pipeline.Slug) ([]pipeline.PropertyDefinition, error) {
	return nil, nil
}

// TestEachMeaningIsDefined: each meaning that narrows requests has a definition of a type that can hold
// its values, whatever metapipe.yml names; information has none of its own.
func TestEachMeaningIsDefined(t *testing.T) {
	t.Parallel()
	for _, meaning := range pipeline.PropertyMeanings {
		rules := pipeline.DefaultPropertyRules()
		rules.Names = map[pipeline.PropertyMeaning]string{meaning: "one"}
		m := pipeline.Manager{Properties: &rules, Tool: pipeline.ToolRule{Name: "terraform"}, Stacks: []pipeline.StackRule{{Name: "network", Tool: pipeline.ToolRule{Name: "terraform"}}}}
		plan, _, err := properties.Definer{GitHub: organization{}, Owners: []pipeline.Slug{{Owner: "acme", Name: "shop"}}}.Plan(t.Context(), m, false)
		if err != nil || meaning.IsInformation() != (len(plan.Rows) == 0) {
			t.Errorf("%s: %+v, %v", meaning, plan.Rows, err)
			continue
		}
		for _, r := range plan.Rows {
			var d struct {
				Type    pipeline.PropertyType `json:"value_type"`
				Allowed []string              `json:"allowed_values"`
			}
			if err := json.Unmarshal(r.New, &d); err != nil || d.Type == "" || (d.Type == pipeline.PropertySingleSelect || d.Type == pipeline.PropertyMultiSelect) != (len(d.Allowed) > 0) {
				t.Errorf("%s: %s, %v", meaning, r.New, err)
			}
		}
		rules.Definitions = []pipeline.WantedProperty{{Name: "ONE", Type: pipeline.PropertySingleSelect, Values: []string{"a"}}}
		plan, _, err = properties.Definer{GitHub: organization{}, Owners: []pipeline.Slug{{Owner: "acme", Name: "shop"}}}.Plan(t.Context(), m, false)
		if err != nil || len(plan.Rows) != 1 || plan.Rows[0].What != "ONE" {
			t.Errorf("%s: %s, %v", meaning, fmt.Sprint(plan.Rows), err)
		}
	}
}

// selecting is an organization whose property for content types has one value.
type selecting struct{ properties.SchemaGitHub }

func (selecting) PropertyDefinitions(context.Context, pipeline.Slug) ([]pipeline.PropertyDefinition, error) {
	d, err := pipeline.ParsePropertyDefinition([]byte(`{"property_name":"one","value_type":"single_select","allowed_values":["app","infra"],"source_type":"organization"}`))
	return []pipeline.PropertyDefinition{d}, err
}

func (selecting) OrganizationProperties(context.Context, string) (map[int64]pipeline.RepositoryAnswer, error) {
	return map[int64]pipeline.RepositoryAnswer{}, nil
}

// TestContentTypeOfOneValue: a definition for one value can say both, which a list says with two.
func TestContentTypeOfOneValue(t *testing.T) {
	t.Parallel()
	rules := pipeline.DefaultPropertyRules()
	rules.Names = map[pipeline.PropertyMeaning]string{pipeline.MeaningContent: "one"}
	plan, _, err := properties.Definer{GitHub: selecting{}, Owners: []pipeline.Slug{{Owner: "acme", Name: "shop"}}}.Plan(t.Context(), pipeline.Manager{Properties: &rules}, false)
	if err != nil || len(plan.Rows) != 1 {
		t.Fatalf("%+v, %v", plan.Rows, err)
	}
	var d struct {
		Type    pipeline.PropertyType `json:"value_type"`
		Allowed []string              `json:"allowed_values"`
	}
	if err := json.Unmarshal(plan.Rows[0].New, &d); err != nil || d.Type != pipeline.PropertySingleSelect || fmt.Sprint(d.Allowed) != "[app infra both]" {
		t.Errorf("%s, %v", plan.Rows[0].New, err)
	}
}
