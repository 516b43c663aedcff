package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const driftManager = `environments:
  - {name: staging}
  - {name: production, gated: true}
drift:
  pending: issue
  manager: ignore
  remediate: [staging, production]
  ignore:
    - {address: "module.web.*", attribute: tags.LastSeen, reason: "set by the scanner", owner: jo, until: "2030-06-30"}
`

func loadDrift(t *testing.T, manager, customer string) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"metapipe.yml": manager, "customers/shop.yml": "repository: acme/shop\nrepository_id: 7\n" + customer, "terraform/main.tf": "# code\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Load(dir)
	if problems.Err() != nil {
		return c, problems.Error()
	}
	return c, ""
}

func TestDriftRulesOfACustomerAreLaidOver(t *testing.T) {
	t.Parallel()
	c, problems := loadDrift(t, driftManager, `drift:
  pending: report
  remediate: [staging]
  ignore:
    - {address: aws_instance.box, reason: theirs, owner: jo, until: "2031-01-01"}
`)
	if problems != "" {
		t.Fatal(problems)
	}
	rules := c.Customers[0].Manager.Drift
	for kind, want := range map[pipeline.DriftKind]pipeline.DriftAction{
		pipeline.DriftReal: pipeline.DriftIssue, pipeline.DriftPending: pipeline.DriftReport, pipeline.DriftManager: pipeline.DriftIgnore, pipeline.DriftError: pipeline.DriftReport,
	} {
		if got := rules.Action(kind); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	if !rules.MayRemediate("staging") || rules.MayRemediate("production") || !c.Manager.Drift.MayRemediate("production") {
		t.Errorf("remediate: %v", rules.Remediate)
	}
	if len(rules.Ignore) != 2 || len(c.Manager.Drift.Ignore) != 1 || rules.Ignore[1].Where.File != "customers/shop.yml" {
		t.Fatalf("rules %v", rules.Ignore)
	}
	last := time.Date(2030, 6, 30, 23, 59, 0, 0, time.UTC)
	if rules.Ignore[0].Expired(last) || !rules.Ignore[0].Expired(last.Add(time.Minute)) {
		t.Error("a rule holds to the end of its last day")
	}
}

func TestDriftMistakesHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ manager, customer, want string }{
		{strings.Replace(driftManager, "reason:", "why:", 1), "", "why"},
		{strings.Replace(driftManager, `reason: "set by the scanner", `, "", 1), "", `lacks the key "reason"`},
		{strings.Replace(driftManager, "2030-06-30", "30.6.2030", 1), "", "last day"},
		{strings.Replace(driftManager, "pending: issue", "pending: email", 1), "", "email"},
		{strings.Replace(driftManager, "[staging, production]", "[prod]", 1), "", "does not declare"},
		{strings.Replace(driftManager, "[staging, production]", "[staging]", 1), "drift: {remediate: [production]}\n", "can only narrow"},
	} {
		if _, problems := loadDrift(t, c.manager, c.customer); !strings.Contains(problems, c.want) {
			t.Errorf("want %q in:\n%s", c.want, problems)
		}
	}
}
