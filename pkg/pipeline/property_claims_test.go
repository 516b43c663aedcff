package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestCheckClaims: what the token says must be what the repository has, in each form that a value
// can have. What the token lacks confirms nothing.
func TestCheckClaims(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ read, claims, says string }{
		"the same":        {`{"infrastructure_tools":["network","dns"],"terraform_version":"1.9"}`, `{"infrastructure_tools":["dns","network"],"terraform_version":"1.9","else":"x"}`, ""},
		"nothing is set":  {`{}`, `{}`, ""},
		"an empty list":   {`{"infrastructure_tools":[]}`, `{"infrastructure_tools":[]}`, ""},
		"changed":         {`{"infrastructure_approval_required":"false"}`, `{"infrastructure_approval_required":"true"}`, `property infrastructure_approval_required: properties: it was "true" when the run signed the request, and is "false" now`},
		"taken back":      {`{}`, `{"region_restriction":"eu-only"}`, `it was "eu-only" when the run signed the request, and is unset now`},
		"another list":    {`{"infrastructure_tools":["dns"]}`, `{"infrastructure_tools":["dns","network"]}`, `it was "dns, network"`},
		"twice":           {`{"infrastructure_tools":["dns","dns"]}`, `{"infrastructure_tools":["dns"]}`, `it was "dns"`},
		"not in token":    {`{"terraform_version":"1.9"}`, `{}`, "cannot be compared"},
		"another form":    {`{"infrastructure_tools":["dns"]}`, `{"infrastructure_tools":"dns"}`, "cannot be compared"},
		"no form":         {`{"terraform_version":"1.9"}`, `{"terraform_version":{}}`, "cannot be compared"},
		"no token at all": {`{}`, ``, "carries no ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := narrowed(pipeline.DefaultPropertyRules())
			read, err := pipeline.ParseProperties(json.RawMessage(tc.read))
			if err != nil {
				t.Fatal(err)
			}
			p, problems := c.Narrow(read, config.VersionsOverlap)
			if problems != nil {
				t.Fatal(problems)
			}
			var claims pipeline.Properties
			if tc.claims != "" {
				if claims, err = pipeline.ParseProperties(json.RawMessage(tc.claims)); err != nil {
					t.Fatal(err)
				}
			}
			got := p.CheckClaims(claims)
			if (got == nil) != (tc.says == "") || got != nil && !strings.Contains(got.Error(), tc.says) {
				t.Errorf("got %v, want %q", got, tc.says)
			}
		})
	}
	var none *pipeline.RequestProperties
	if problems := none.CheckClaims(pipeline.Properties{}); problems != nil {
		t.Errorf("metapipe.yml uses none: %v", problems)
	}
}
