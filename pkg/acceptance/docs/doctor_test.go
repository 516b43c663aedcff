package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
)

// section is a page from a heading of the second level to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", page)))(t))
	_, after, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/%s has no %q", page, heading)
	}
	after, _, _ = strings.Cut(after, "\n"+strings.Repeat("#", strings.Index(heading, " "))+" ")
	return after
}

// TestDoctorChecks: the table of docs/DOCTOR.md has every check.
func TestDoctorChecks(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for _, k := range doctor.All {
		fmt.Fprintf(&want, "| `%s` | %s |\n", k.ID, k.Looks)
	}
	_, rows, _ := strings.Cut(section(t, "DOCTOR.md", "## Checks"), "|---|---|\n")
	if strings.TrimSpace(rows) != strings.TrimSpace(want.String()) {
		t.Errorf("the table of checks differs; it should be\n%s", want.String())
	}
}

// troubles are the sentences of the first guides for which there has to be a row, by a word of the row.
var troubles = []string{"cannot read", "third-party", "name another manager", "outside of the path", "token for the manager", "starts no run", "has ended", "locked", "bucket", "not separated"}

// TestDoctorTroubleshooting: each trouble leads to checks that exist.
func TestDoctorTroubleshooting(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^\\| ([^|`]+) \\| (`.*`) \\|$").FindAllStringSubmatch(section(t, "DOCTOR.md", "## Troubleshooting"), -1)
	if len(rows) != len(troubles) {
		t.Errorf("%d rows, want %d", len(rows), len(troubles))
	}
	for i, row := range rows {
		if i < len(troubles) && !strings.Contains(row[1], troubles[i]) {
			t.Errorf("row %d is %q, want %q in it", i, row[1], troubles[i])
		}
		for id := range strings.SplitSeq(row[2], ", ") {
			if !doctor.Known(strings.Trim(id, "`")) {
				t.Errorf("%s: %s is no check", row[1], id)
			}
		}
	}
}

// TestRightsOfSetup: doctor compares tokens with the table of docs/SETUP.md.
func TestRightsOfSetup(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([A-Z_]+)` \\| ([^|]+) \\|$")
	var want, got []string
	for _, m := range row.FindAllStringSubmatch(section(t, "SETUP.md", "#### What each command needs"), -1) {
		for permission := range strings.SplitSeq(m[3], ", ") {
			want = append(want, m[1]+" "+m[2]+" "+permission)
		}
	}
	for _, r := range doctor.Rights() {
		got = append(got, r.Command+" "+r.Token+" "+doctor.Permission(r.Permission, r.Level))
	}
	if len(want) < 20 || !slices.Equal(got, want) {
		t.Errorf("doctor has\n%s\nand the page\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
