package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// folder is where everything ends up that a party would see. It is for the user
// alone: what infrastructure looks like is not for everybody.
type folder struct {
	root string // absolute
}

// newFolder makes the folder. Nothing is ever overwritten: a named one must be
// new or empty, and without a name a new one is made under ./rehearsal.
func newFolder(name string, at time.Time) (*folder, error) {
	if name == "" {
		return freshFolder("rehearsal", at)
	}
	root, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", name, err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, pipeline.Usagef("make the folder for the results").Because(err).Nextf("name one that can be written, with --out")
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("look into the folder %s: %w", name, err)
	}
	if len(entries) > 0 {
		return nil, pipeline.Usagef("the folder %s is not empty, and a rehearsal overwrites nothing", name).
			Nextf("name a new one with --out, or leave it out")
	}
	return markFolder(root)
}

// present lists, as rows of the table of the README, the directories of both parties
// that the rehearsal has made.
func (f *folder) present(kinds ...string) (rows []string) {
	what := map[string]string{"summaries": "the job summaries, one file a job", "logs": "the logs, one file a step, secrets masked"}
	for _, kind := range kinds {
		var there []string
		for _, who := range []string{"customer", "manager"} {
			if _, err := os.Stat(f.path(who, kind)); err == nil {
				there = append(there, who+"/"+kind)
			}
		}
		if len(there) > 0 {
			rows = append(rows, fmt.Sprintf("| %s | %s |\n", strings.Join(there, ", "), what[kind]))
		}
	}
	return rows
}

// folderMark begins the .gitignore of a folder with results. The folder is no
// part of any checkout: git skips it because of the star below, and the import
// because of this line.
const folderMark = "# the results of a metapipe rehearsal"

func markFolder(root string) (*folder, error) {
	if err := os.WriteFile(filepath.Join(root, ".gitignore"), []byte(folderMark+"\n*\n"), 0o600); err != nil {
		return nil, fmt.Errorf("mark the folder for the results: %w", err)
	}
	return &folder{root}, nil
}

// isMarked reports whether a directory holds the results of a rehearsal.
func isMarked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, ".gitignore"))
	if err != nil {
		return false
	}
	head := make([]byte, len(folderMark)+1)
	_, err = io.ReadFull(f, head)
	return errors.Join(err, f.Close()) == nil && string(head) == folderMark+"\n"
}

func freshFolder(parent string, at time.Time) (*folder, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("find the folder for the results: %w", err)
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, pipeline.Usagef("make the folder for the results").Because(err).Nextf("name one that can be written, with --out")
	}
	stamp := at.Format("2006-01-02T150405")
	for n := 1; ; n++ {
		root := filepath.Join(parent, stamp)
		if n > 1 {
			root += fmt.Sprintf("-%d", n)
		}
		err := os.Mkdir(root, 0o700)
		if err == nil {
			return markFolder(root)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the folder for the results: %w", err)
		}
	}
}

// write stores a file under the given path, each part of which is made safe.
func (f *folder) write(content []byte, parts ...string) error {
	at := f.path(parts...)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return fmt.Errorf("keep %s: %w", strings.Join(parts, "/"), err)
	}
	if err := os.WriteFile(at, content, 0o600); err != nil {
		return fmt.Errorf("keep %s: %w", strings.Join(parts, "/"), err)
	}
	return nil
}

func (f *folder) writeJSON(value any, parts ...string) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", strings.Join(parts, "/"), err)
	}
	return f.write(append(b, '\n'), parts...)
}

func (f *folder) path(parts ...string) string {
	at := f.root
	for _, p := range parts {
		at = filepath.Join(at, safeName(p))
	}
	return at
}

// maxName is short enough for every file system, with room for a suffix.
const maxName = 120

// safeName turns any text into the name of one file: letters, digits, dots,
// hyphens and underscores, and no leading dot.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, ".")
	if len(s) > maxName {
		s = s[:maxName]
	}
	if s == "" {
		return "unnamed"
	}
	return s
}
