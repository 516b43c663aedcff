package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// namedFile is a block of a document that is a whole file: its first line names it.
var namedFile = regexp.MustCompile("(?ms)^```(?:yaml|hcl)\n# (\\S+)\n(.*?)^```")

// TestNeedsOfPatterns plays the example of stacks that pass outputs on, as it stands in
// docs/PATTERNS.md, through a rehearsal with the real tool.
func TestNeedsOfPatterns(t *testing.T) {
	t.Parallel()
	section, dir, out := playSection(t, "### Outputs of another stack\n")
	results := regexp.MustCompile(` +`).ReplaceAllString(out, " ")
	for _, want := range []string{
		"✓ Pull request success: staging/network: Plan: 1 to add; not known yet: staging/hosts",
		"✓ Merge success: Applied to staging/network, staging/hosts: 2 added",
		"✓ Second push success: No changes",
		"has the outputs staging/hosts.hosts, staging/network.cidr",
	} {
		if !strings.Contains(results, want) {
			t.Errorf("the rehearsal does not say %q", want)
		}
	}
	comment := fixture.ReadOptional(t, filepath.Join(dir, "out", "customer", "pull-requests", "1", "comment.md"))
	if !strings.Contains(comment, "2 hosts in 10.0.0.0/16") {
		t.Errorf("the comment:\n%s", comment)
	}
	said := regexp.MustCompile(`for example "([^"]+ that is not known yet)"`).FindStringSubmatch(section)
	if said == nil {
		t.Fatal("the section does not quote what a pull request says")
	}
	summaries := ""
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(dir, "out", "manager", "summaries", "*.md")))(t) {
		summaries += strings.ReplaceAll(fixture.ReadOptional(t, file), "`", "")
	}
	if !strings.Contains(summaries, said[1]) {
		t.Errorf("no summary says %q", said[1])
	}
	if t.Failed() {
		t.Log(out)
	}
}

// playSection writes the files of a section of docs/PATTERNS.md and rehearses with them.
func playSection(t *testing.T, heading string) (section, dir, out string) {
	t.Helper()
	_, section, ok := strings.Cut(string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "PATTERNS.md")))(t)), heading)
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatalf("docs/PATTERNS.md has no section %q", heading)
	}
	dir, files := t.TempDir(), 0
	for _, match := range namedFile.FindAllStringSubmatch(section, -1) {
		side := "manager"
		if strings.HasPrefix(match[1], "infra/") {
			side = "customer"
		}
		file := filepath.Join(dir, side, filepath.FromSlash(match[1]))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		fixture.Check(t, os.WriteFile(file, []byte(match[2]), 0o600))
		files++
	}
	if files != 4 {
		t.Fatalf("the section has %d files", files)
	}
	return section, dir, fixture.RunIn(t, dir, "metapipe", "rehearse", "--manager-dir", "manager", "--customer-dir", "customer", "--approve", "yes", "--out", "out")
}
