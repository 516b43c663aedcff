package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

const goodCompliance = `# yaml-language-server: $schema=https://raw.githubusercontent.com/metapipe/metapipe/main/pkg/config/schema/compliance-file.schema.json
organizations: [acme]
exclude: [".github", "acme/archived-*"]
forks: true
content: repo_content_type
registration: true
properties:
  repo_content_type: {required: all}
  team_owner: {required: all, team: true}
  customer_tier: {required: infra, values: [free, enterprise]}
  terraform_version: {values: ["1.8"], deprecated: {"1.5": "use 1.8"}}
  security_contact: {recommended: true}
team_names: {Old-Team: new-team}
conditions:
  - {id: version-needs-terraform, when: {property: terraform_version}, requires: {property: infrastructure_tools, values: [terraform]}, severity: high, remedy: "add terraform"}
  - {id: free-has-no-auto-deploy, when: {property: customer_tier, values: [free]}, excludes: {property: auto_deploy, values: ["true"]}}
severities: {missing-recommended: medium}
exceptions:
  - {repository: "acme/legacy-*", rule: missing-required, property: team_owner, reason: "moves", owner: jo, until: "2030-12-31"}
  - {repository_id: 7, reason: "to be deleted", owner: kim, until: "2030-06-30"}
`

var complianceNow = time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC)

func TestParseCompliance(t *testing.T) {
	t.Parallel()
	rules, problems := ParseCompliance([]byte(goodCompliance), complianceNow)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	at := func(line, column int) pipeline.Position {
		return pipeline.Position{File: "compliance.yml", Line: line, Column: column}
	}
	want := compliance.Rules{
		Organizations: []string{"acme"}, Exclude: []string{".github", "acme/archived-*"}, Forks: true, Content: "repo_content_type", Registration: true,
		Properties: []compliance.PropertyRule{
			{Name: "repo_content_type", Need: compliance.NeedAll, Where: at(8, 3)}, {Name: "team_owner", Need: compliance.NeedAll, Team: true, Where: at(9, 3)},
			{Name: "customer_tier", Need: compliance.NeedInfra, Values: []string{"free", "enterprise"}, Where: at(10, 3)},
			{Name: "terraform_version", Values: []string{"1.8"}, Deprecated: map[string]string{"1.5": "use 1.8"}, Where: at(11, 3)},
			{Name: "security_contact", Need: compliance.NeedRecommended, Where: at(12, 3)},
		},
		TeamNames: map[string]string{"old-team": "new-team"},
		Conditions: []compliance.Condition{
			{ID: "version-needs-terraform", When: compliance.Test{Property: "terraform_version"}, Requires: compliance.Test{Property: "infrastructure_tools", Values: []string{"terraform"}}, Severity: compliance.High, Message: "add terraform", Where: at(15, 5)},
			{ID: "free-has-no-auto-deploy", When: compliance.Test{Property: "customer_tier", Values: []string{"free"}}, Excludes: compliance.Test{Property: "auto_deploy", Values: []string{"true"}}, Severity: compliance.Medium, Where: at(16, 5)},
		},
		Severities: map[compliance.RuleID]compliance.Severity{compliance.RuleMissingRecommended: compliance.Medium},
		Exceptions: []compliance.Exception{
			{Repository: "acme/legacy-*", Rule: compliance.RuleMissingRequired, Property: "team_owner", Exception: pipeline.Exception{Reason: "moves", Owner: "jo", Until: time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC), Where: at(19, 5)}},
			{RepositoryID: 7, Exception: pipeline.Exception{Reason: "to be deleted", Owner: "kim", Until: time.Date(2030, 7, 1, 0, 0, 0, 0, time.UTC), Where: at(20, 5)}},
		},
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Error(diff)
	}
}

// TestBadCompliance: each mistake is one problem, with its line and what to do.
func TestBadCompliance(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "the file is empty",
		"{}":                                 "the file has no rules",
		"properties: {a b: {required: all}}": `compliance.yml:1:14: value: a name in properties is "a b"`,
		"properties: {a: {required: some}}":  `properties.a.required is "some"`,
		"properties: {a: {require: all}}":    `did you mean "required"?`,
		"properties: {a: {}, A: {}}":         "duplicate: properties has \"A\" twice",
		"properties: {a: {required: all, recommended: true}}":                                                              "keep one of required and recommended",
		"properties: {a: {required: infra}}":                                                                               "name the property with the content type",
		"registration: true\nproperties: {a: {}}":                                                                          "1:15: missing-key: registration",
		"properties: {a: {values: [x], deprecated: {x: y}}}":                                                               "calls it deprecated",
		"properties: {a: {}}\nexclude: [\"a/b/c\"]":                                                                        "exclude[0] is",
		"properties: {a: {}}\nexclude: [\"[\"]":                                                                            "exclude[0] is",
		"properties: {a: {}}\norganizations: [\"a/b\"]":                                                                    "login of an organization",
		"properties: {a: {}}\nteam_names: {a: \"b c\"}":                                                                    "slug of a team",
		"properties: {a: {}}\nseverities: {missing-required: urgent}":                                                      `severities.missing-required is "urgent"`,
		"properties: {a: {}}\nseverities: {missing: low}":                                                                  "unknown-key",
		"conditions: [{id: x, when: {property: a}}]":                                                                       "needs id, when, and either requires or excludes",
		"conditions: [{id: x, when: {property: a}, requires: {property: b}, excludes: {property: c}}]":                     "needs id, when, and either requires or excludes",
		"conditions: [{id: x, when: {values: [a]}, requires: {property: b}}]":                                              "lacks the key \"property\"",
		"conditions: [{id: team-access, when: {property: a}, requires: {property: b}}]":                                    "there is another rule",
		"properties: {a: {}}\nexceptions: [{repository: a, reason: r, owner: o}]":                                          "needs reason, owner, until",
		"properties: {a: {}}\nexceptions: [{repository: a, repository_id: 1, reason: r, owner: o, until: \"2030-02-01\"}]": "either repository or repository_id",
		"properties: {a: {}}\nexceptions: [{repository: a, reason: r, owner: o, until: \"2031-02-01\"}]":                   "lasts for more than a year",
		"properties: {a: {}}\nexceptions: [{repository: \"*/*\", reason: r, owner: o, until: \"2030-02-01\"}]":             "takes every finding out of every repository",
		"properties: {a: {}}\nteam_names: {web: one, Web: two}":                                                            "team_names has \"Web\" twice",
		"properties: {a: {}}\nexceptions: [{repository: a, reason: r, owner: o, until: soon}]":                             "write the last day of the rule",
		"properties: {a: {}}\nexceptions: [{repository: a, rule: none, reason: r, owner: o, until: \"2030-02-01\"}]":       "which does not exist",
	} {
		_, problems := ParseCompliance([]byte(text), complianceNow)
		if len(problems) != 1 || !strings.Contains(problems[0].String()+" "+problems[0].Remedy, want) {
			t.Errorf("%q: %v, want %q", text, problems, want)
		}
	}
}

func FuzzParseCompliance(f *testing.F) {
	f.Add([]byte(goodCompliance))
	f.Add([]byte("properties: {a: {values: [v, w, x, y, z], deprecated: {v: a, w: a, x: a, y: a, z: a}}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rules, problems := ParseCompliance(raw, complianceNow)
		if _, again := ParseCompliance(raw, complianceNow); again.Error() != problems.Error() {
			t.Errorf("parsed again, the problems are\n%v\nand were\n%v", again.Error(), problems.Error())
		}
		for _, e := range rules.Exceptions {
			if len(problems) == 0 && (e.Owner == "" || e.Reason == "" || e.Until.Sub(complianceNow) > compliance.LongestException) {
				t.Errorf("an exception without an end: %+v", e)
			}
		}
	})
}
