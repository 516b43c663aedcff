package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// TestSyncExamples: the examples of docs/SYNC.md are accepted as they are, its table names each type of source, and its
// payloads are hints.
func TestSyncExamples(t *testing.T) {
	t.Parallel()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "SYNC.md")))(t))
	blocks := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, block := range blocks {
		c, problems := config.ParseSync([]byte(strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")))
		if len(problems) > 0 || len(c.Sources) != 2 || len(c.Properties) != []int{2, 1}[i] {
			t.Errorf("%v\n%+v", problems, c)
		}
	}
	for _, kind := range sourcesync.Types {
		if !strings.Contains(text, "\n| `"+string(kind)+"` | ") {
			t.Errorf("the table lacks %s", kind)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\{.*?\\})` \\|").FindAllStringSubmatch(text, -1)
	if len(rows) != len(sourcesync.Events) {
		t.Fatalf("%d events", len(rows))
	}
	for _, row := range rows {
		if _, err := sourcesync.ParseHint(row[1], []byte(row[2])); err != nil {
			t.Error(err)
		}
	}
}
