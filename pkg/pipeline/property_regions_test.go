package pipeline_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestCheckRegions: every region in variables.yml is looked at, wherever it stands, and
// refused with its line. Two regions in one text are not the first of them.
func TestCheckRegions(t *testing.T) {
	t.Parallel()
	const head = "project_name: shop\n"
	for name, tc := range map[string]struct{ value, file, want string }{
		"fits":                  {"eu-only", "region: eu-central-1\nenvironments: {staging: {region: eu-west-1}}\n", ""},
		"not set":               {"", "region: us-east-1\nenvironments: {staging: {}}\n", ""},
		"global":                {"global", "region: mars\nenvironments: {staging: {}}\n", ""},
		"top":                   {"eu-only", "region: us-east-1\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"of an environment":     {"eu-only", "environments:\n  staging: {}\n  production:\n    region: us-east-1\n", "v.yml:5:13"},
		"deep":                  {"eu-only", "databases:\n  - name: a\n    replica_regions: [eu-west-1, us-east-1]\nenvironments: {staging: {}}\n", "v.yml:4:34"},
		"below a region key":    {"eu-only", "regions: {primary: eu-west-1, backup: {first: ap-south-1}}\nenvironments: {staging: {}}\n", "v.yml:2:47"},
		"upper-case key":        {"eu-only", "awsRegion: us-east-1\nenvironments: {staging: {}}\n", "v.yml:2:12"},
		"upper-case value":      {"eu-only", "region: EU-WEST-1\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"two in one text":       {"eu-only", "region: \"eu-west-1,us-east-1\"\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"two lines":             {"eu-only", "region: \"eu-west-1\\nus-east-1\"\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"empty":                 {"eu-only", "region: \"\"\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"number":                {"eu-only", "region: 1\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"null":                  {"eu-only", "region: null\nenvironments: {staging: {}}\n", ""},
		"filled in":             {"us-only", "region: \"{{ environment }}\"\nenvironments: {staging: {}}\n", "v.yml:2:9"},
		"filled in, one is fit": {"eu-only", "region: \"eu-{{ environment }}\"\nenvironments: {staging: {}}\n", ""},
		"another key":           {"eu-only", "note: us-east-1\nenvironments: {staging: {}}\n", ""},
		"both, each once":       {"eu-only", "region: us-1\nhome_region: us-2\nenvironments: {staging: {}, production: {}}\n", "v.yml:3:14 v.yml:2:9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document, problems := variables.Parse("v.yml", []byte(head+tc.file), pipeline.Limits{}, nil)
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			var environments []pipeline.Environment
			for _, d := range document.Environments() {
				environments = append(environments, pipeline.Environment(d.Name))
			}
			found, err := pipeline.DefaultPropertyRules().CheckRegions(tc.value, document, environments)
			if err != nil {
				t.Fatal(err)
			}
			var places []string
			for _, p := range found {
				places = append(places, p.Position.String())
				if p.Remedy == "" || !strings.Contains(p.Message, "region_restriction") {
					t.Errorf("%v", p)
				}
			}
			if got := strings.Join(places, " "); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}
