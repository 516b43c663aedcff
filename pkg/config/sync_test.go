package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

const goodSync = `organizations: [acme]
max_change: "25%"
sources:
  - {name: billing, type: http, url: "https://billing.example.com/api", token_env: BILLING_API_KEY, token_header: X-Api-Key, rows: data, next: meta.next, next_parameter: cursor, total: meta.total, key: customer, min_rows: 100, fields: {customer_tier: {from: plan.name, trim: true, lower: true, map: {gold: enterprise}, prefix: t-, on_missing: report}}}
  - {name: people, type: ldap, url: "ldap://ldap.example.com", start_tls: true, bind_dn: "cn=r", password_env: LDAP_PASSWORD, base: "dc=x", filter: "(a=b)", members_of: "cn=g", page_size: 100, ca_file: ca.pem, key: repository_id, key_field: employeeNumber, fields: {team_owner: {from: ou, on_missing: unset}}}
  - {name: cmdb, type: servicenow, url: "https://x.service-now.com", table: cmdb_ci_service, query: active=true, user_env: SERVICENOW_USER, password_env: SERVICENOW_PASSWORD, key: repository, key_field: u_repo, fields: {security_contact: {from: u_contact}}}
  - {name: github, type: teams, fields: {Team_Owner: {from: owner}}}
  - {name: file, type: json, path: data/tiers.json, key: repository, fields: {billing_account: {from: account}}}
properties:
  team_owner: {sources: [people, github], on_conflict: report, changed_by_hand: hand}
`

func TestParseSync(t *testing.T) {
	t.Parallel()
	c, problems := ParseSync([]byte(goodSync))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	at := func(line, column int) pipeline.Position {
		return pipeline.Position{File: "sync.yml", Line: line, Column: column}
	}
	billing := c.Sources[0]
	billing.Where, billing.Fields[0].Where = pipeline.Position{}, pipeline.Position{}
	want := sourcesync.SourceConfig{Name: "billing", Type: sourcesync.HTTP, URL: "https://billing.example.com/api", TokenEnv: "BILLING_API_KEY", TokenHeader: "X-Api-Key", Rows: "data", Next: "meta.next", NextParameter: "cursor", Total: "meta.total",
		Key: sourcesync.KeyCustomer, KeyField: "customer", MinRows: 100,
		Fields: []sourcesync.Field{{Property: "customer_tier", From: "plan.name", Trim: true, Lower: true, Map: map[string]string{"gold": "enterprise"}, Prefix: "t-", OnMissing: sourcesync.MissingReport}}}
	if diff := cmp.Diff(want, billing); diff != "" {
		t.Error(diff)
	}
	rule := func(name string, line, column int, sources ...string) sourcesync.PropertyRule {
		return sourcesync.PropertyRule{Name: name, Sources: sources, OnConflict: sourcesync.First, ChangedByHand: sourcesync.BySource, Where: at(line, column)}
	}
	owner := rule("team_owner", 10, 3, "people", "github")
	owner.OnConflict, owner.ChangedByHand = sourcesync.ReportOnly, sourcesync.ByHand
	got := c.Properties
	for i := range got {
		if got[i].Name != "team_owner" {
			got[i].Where = pipeline.Position{}
		}
	}
	rules := []sourcesync.PropertyRule{rule("billing_account", 0, 0, "file"), rule("customer_tier", 0, 0, "billing"), rule("security_contact", 0, 0, "cmdb"), owner}
	for i := range 3 {
		rules[i].Where = pipeline.Position{}
	}
	if diff := cmp.Diff(rules, got); diff != "" {
		t.Error(diff)
	}
	if c.MaxChange != 25 || c.Sources[3].Fields[0].Property != "team_owner" || c.Sources[3].Key != sourcesync.KeyID || c.Sources[1].PageSize != 100 {
		t.Errorf("%+v", c)
	}
	schema := compile(t, syncSchema)
	node, parsed := parseFile("sync.yml", []byte(goodSync), "")
	if len(parsed) > 0 {
		t.Fatal(parsed)
	}
	for _, p := range schema.Validate("sync.yml", node) {
		t.Error(p)
	}
}

// TestSyncMistakes: each mistake is named with its line and what to do.
func TestSyncMistakes(t *testing.T) {
	t.Parallel()
	with := func(source string) string { return "sources:\n  - " + source + "\n" }
	csv := func(more string) string {
		return with("{name: a, type: csv, path: a.csv, key: repository, " + more + "}")
	}
	for text, want := range map[string]string{
		"{}": "no sources",
		csv("fields: {tier: {from: plan}}, url: \"https://x.example\""):                                                                                                               `has no key "url"`,
		csv("fields: {tier: {form: plan}}"):                                                                                                                                           `did you mean "from"?`,
		csv("fields: {tier: {lower: true}}"):                                                                                                                                          `lacks the key "from"`,
		csv("min_rows: 0, fields: {tier: {from: a}}"):                                                                                                                                 "a number from 1",
		csv("fields: {tier: {from: a}, TIER: {from: b}}"):                                                                                                                             "twice",
		with("{name: a, type: csv, key: repository, fields: {tier: {from: a}}}"):                                                                                                      `lacks the key "path"`,
		with("{name: a, type: csv, path: ../a.csv, key: repository, fields: {tier: {from: a}}}"):                                                                                      "path",
		with("{name: a, type: csv, path: a.csv, fields: {tier: {from: a}}}"):                                                                                                          `lacks the key "key"`,
		with("{name: a, type: excel, fields: {tier: {from: a}}}"):                                                                                                                     "csv",
		with("{name: a, type: http, url: \"http://x.example\", key: repository, fields: {tier: {from: a}}}"):                                                                          "not encrypted",
		with("{name: a, type: http, url: \"https://jo:pw@x.example\", key: repository, fields: {tier: {from: a}}}"):                                                                   "a password",
		with("{name: a, type: http, url: \"ldaps://x.example\", key: repository, fields: {tier: {from: a}}}"):                                                                         "does not fit",
		with("{name: a, type: http, url: \"https://x.example\", token_env: METAPIPE_KEY, key: repository, fields: {tier: {from: a}}}"):                                                "is a variable of metapipe",
		with("{name: a, type: http, url: \"https://x.example\", token_env: source_repos_pat, key: repository, fields: {tier: {from: a}}}"):                                            "is a variable of metapipe",
		with("{name: a, type: http, url: \"https://x.example\", token_env: \"s3cr3t!\", key: repository, fields: {tier: {from: a}}}"):                                                 "never the secret itself",
		with("{name: a, type: http, url: \"https://x.example\", next_parameter: c, key: repository, fields: {tier: {from: a}}}"):                                                      "needs next",
		with("{name: a, type: servicenow, url: \"https://x.example\", table: t, key: repository, key_field: k, fields: {tier: {from: a}}}"):                                           "either token_env",
		with("{name: a, type: servicenow, url: \"https://x.example\", token_env: T, table: t, query: \"a=b^ORDERBYname\", key: repository, key_field: k, fields: {tier: {from: a}}}"): "remove ORDERBY",
		with("{name: a, type: ldap, url: \"ldaps://x.example\", base: b, filter: f, bind_dn: d, key: repository, key_field: k, fields: {tier: {from: a}}}"):                           "password_env",
		with("{name: a, type: teams, fields: {tier: {from: slug}}}"):                                                                                                                  "from: owner",
		with("{name: a, type: teams, key: customer, fields: {tier: {from: owner}}}"):                                                                                                  `has no key "key"`,
		csv("fields: {tier: {from: a}}") + "  - {name: b, type: teams, fields: {tier: {from: owner}}}\n":                                                                              "which of them counts",
		csv("fields: {tier: {from: a}}") + "  - {name: a, type: teams, fields: {owner: {from: owner}}}\n":                                                                             "two sources with the name",
		csv("fields: {tier: {from: a}}") + "properties: {tier: {sources: [a, b]}}\n":                                                                                                  "name each of them once",
		csv("fields: {tier: {from: a}}") + "properties: {other: {sources: [a]}}\n":                                                                                                    "no source gives other",
		csv("fields: {tier: {from: a}}") + "max_change: \"0%\"\n":                                                                                                                     "1% to 100%",
		csv("fields: {tier: {from: a}}") + "max_change: 10\n":                                                                                                                         "max_change",
	} {
		_, problems := ParseSync([]byte(text))
		if got := problems.Err(); got == nil || !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), "sync.yml") || strings.Contains(got.Error(), "jo:pw") {
			t.Errorf("%s\n got %v\nwant %s", text, got, want)
		}
	}
}

// FuzzParseSync: no text panics the decoder, and what is accepted names a source for each property, and no secret of metapipe.
func FuzzParseSync(f *testing.F) {
	f.Add([]byte(goodSync))
	f.Add([]byte(syncExample))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, problems := ParseSync(raw)
		if problems.Err() != nil {
			return
		}
		if len(c.Sources) == 0 || c.MaxChange < 1 || c.MaxChange > 100 {
			t.Errorf("%+v", c)
		}
		given := 0
		for _, p := range c.Properties {
			given += len(p.Sources)
		}
		fields := 0
		for _, s := range c.Sources {
			fields += len(s.Fields)
			for _, name := range []string{s.TokenEnv, s.PasswordEnv, s.UserEnv} {
				if strings.HasPrefix(strings.ToUpper(name), "METAPIPE") {
					t.Errorf("%s gets %s", s.Name, name)
				}
			}
		}
		if given != fields {
			t.Errorf("%d fields and %d sources of properties", fields, given)
		}
	})
}
