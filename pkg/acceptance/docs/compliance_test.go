package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// TestComplianceExamples: the examples of docs/COMPLIANCE.md are rules as they are, and its table names each rule
// with its severity.
func TestComplianceExamples(t *testing.T) {
	t.Parallel()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "COMPLIANCE.md")))(t))
	blocks := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	all := ""
	for _, block := range blocks {
		all += strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
	}
	rules, problems := config.ParseCompliance([]byte(all), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	if len(problems) > 0 || len(rules.Properties) != 6 || len(rules.Conditions) != 1 || len(rules.Exceptions) != 1 {
		t.Errorf("%v\n%+v", problems, rules)
	}
	for id, severity := range compliance.DefaultSeverities {
		if row := regexp.MustCompile("(?m)^\\| `" + string(id) + "` \\|.*\\| (\\w+) \\|$").FindStringSubmatch(text); row == nil || row[1] != string(severity) {
			t.Errorf("the table does not say that %s is %s: %q", id, severity, row)
		}
	}
}
