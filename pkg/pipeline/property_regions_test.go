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
		"key":                   {"eu-only", "regions:\n  eu-west-1: {}\n  us-east-1: {}\nenvironments: {staging: {}}\n", "v.yml:4:3"},
		"key with null":         {"eu-only", "regions: {us-east-1: null}\nenvironments: {staging: {}}\n", "v.yml:2:11"},
		"key with a list":       {"eu-only", "regions: {us-east-1: []}\nenvironments: {staging: {}}\n", "v.yml:2:11"},
		"key over a fit":        {"eu-only", "regions: {us-east-1: {vpc: eu-west-1}}\nenvironments: {staging: {}}\n", "v.yml:2:11"},
		"key in a list":         {"eu-only", "regions:\n  - {us-east-1: {}}\nenvironments: {staging: {}}\n", "v.yml:3:6"},
		"key, value is fit":     {"eu-only", "replica_regions:\n  us-east-1: eu-backup\nenvironments: {staging: {}}\n", "v.yml:3:14"},
		"key of an environment": {"eu-only", "environments:\n  staging:\n    regions:\n      europe-west4: {}\n      northamerica-northeast1: {}\n", "v.yml:6:7"},
		"key below a role":      {"eu-only", "regions: {primary: {eu-west-1: {}, ap-south-1: {}}}\nenvironments: {staging: {}}\n", "v.yml:2:36"},
		"key, other letters":    {"eu-only", "regions: {US-EAST-1: {}, us_east: eu-west-1, EU-WEST-1: {}}\nenvironments: {staging: {}}\n", "v.yml:2:46 v.yml:2:11 v.yml:2:35"},
		"key, two in one text":  {"eu-only", "regions: {\"eu-west-1,us-east-1\": {}}\nenvironments: {staging: {}}\n", "v.yml:2:11"},
		"key without a digit":   {"eu-only", "regions: {germanywestcentral: eu-west-1, eastus: eu-west-1, usgovvirginia: eu-west-1}\nenvironments: {staging: {}}\n", "v.yml:2:50 v.yml:2:31 v.yml:2:76"},
		"key and value":         {"eu-only", "regions: {us-east-1: us-east-1}\nenvironments: {staging: {}, production: {}}\n", "v.yml:2:22 v.yml:2:22"},
		"key of another value":  {"eu-only", "regions: {us-: eu-west-1, asia_: eu-west-1}\nenvironments: {staging: {}}\n", "v.yml:2:34 v.yml:2:16"},
		"role without a region": {"eu-only", "regions: {primary: eu-west-1, ash: {}, fra: null, gra: [], hil: {sin: [{}]}}\nenvironments: {staging: {}}\n", "v.yml:2:31 v.yml:2:40 v.yml:2:51 v.yml:2:60 v.yml:2:66"},
		"roles":                 {"eu-only", "regions: {primary: eu-west-1, dr_site: [eu-west-2], east: {region: eu-east-1}, EU_main: eu-north-1, Backup: {eu-west-3: {}}}\nenvironments: {staging: {}}\n", ""},
		"empty map":             {"eu-only", "regions: {}\nenvironments: {staging: {}}\n", ""},
		"key, global":           {"global", "regions: {us-east-1: {}}\nenvironments: {staging: {}}\n", ""},
		"key beside":            {"eu-only", "networks: {us-east-1: {}}\nenvironments: {staging: {}}\n", ""},
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
