package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const importedConfig = `{
  "required_properties": ["repo_content_type", "team_owner"],
  "required_for_infra_repos": ["infrastructure_tools", "customer_tier"],
  "optional_properties": ["terraform_version", "security_contact", "team_owner"],
  "valid_values": {"customer_tier": ["free", "startup"], "region_restriction": ["eu-only"]},
  "auto_remediate": true,
  "content_detection_rules": {"infra": ["terraform"]},
  "severity_rules": {"critical": ["invalid_team"], "high": ["missing_required", "content_type_mismatch_add"], "low": ["stale_property"]},
  "team_mappings": {"old": "new"},
  "repository_exclusions": [".github", "archived-*"],
  "notification_config": {"slack_webhook_url": "x", "severity_threshold": "high"}
}`

const importedYML = `# yaml-language-server: $schema=https://raw.githubusercontent.com/metapipe/metapipe/main/pkg/config/schema/compliance-file.schema.json
# Imported from config.json.
exclude:
  - .github
  - archived-*
content: repo_content_type
properties:
  customer_tier:
    required: infra
    values: [free, startup]
  infrastructure_tools:
    required: infra
  region_restriction:
    values: [eu-only]
  repo_content_type:
    required: all
  security_contact:
    recommended: true
  team_owner:
    required: all
    team: true
  terraform_version:
    recommended: true
team_names:
  old: new
severities:
  content-missing: high
  missing-required: high
  stale-value: low
  unknown-team: critical
fix: [renamed-team, only-team, content]
`

func TestImportCompliance(t *testing.T) {
	t.Parallel()
	file, notes, problems := ImportCompliance("config.json", []byte(importedConfig), complianceNow)
	if problems.Err() != nil || len(notes) != 3 {
		t.Fatalf("%v, %q", problems, notes)
	}
	if diff := cmp.Diff(importedYML, string(file)); diff != "" {
		t.Error(diff)
	}
	if _, problems := ParseCompliance(file, complianceNow); len(problems) > 0 {
		t.Error(problems)
	}
	byRule, _, problems := ImportCompliance("config.json", []byte(`{"required_properties": ["a"], "severity_rules": {"invalid_team": "critical"}}`), complianceNow)
	if problems.Err() != nil || !strings.Contains(string(byRule), "unknown-team: critical") {
		t.Errorf("%v\n%s", problems, byRule)
	}
	for text, want := range map[string]string{
		`{"required_properties": ["a b"]}`:               "config.json:1:26: value",
		`{"required": ["a"]}`:                            "unknown-key",
		`{"severity_rules": {"critical": ["x"]}}`:        `names the rule "x"`,
		`{"severity_rules": {"invalid_team": "urgent"}}`: "of the imported rules: severities.unknown-team",
		`{"team_mappings": {"a": "b c"}}`:                "of the imported rules: team_names.a",
		`[]`:                                             "not-a-map",
		`{`:                                              "config.json",
	} {
		if file, _, problems := ImportCompliance("config.json", []byte(text), complianceNow); file != nil || len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: %v, want %q", text, problems, want)
		}
	}
}

func FuzzImportCompliance(f *testing.F) {
	f.Add([]byte(importedConfig))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if file, _, problems := ImportCompliance("config.json", raw, complianceNow); problems.Err() == nil {
			if _, again := ParseCompliance(file, complianceNow); again.Err() != nil {
				t.Errorf("%q becomes a file with problems: %v\n%s", raw, again, file)
			}
		}
	})
}
