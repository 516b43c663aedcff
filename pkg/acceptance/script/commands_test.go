package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/cli"
)

// scriptCommands are the commands that the scripts of testdata/e2e have beside
// those of testscript.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"repeat":    repeat,
	"copy-tree": copyTree,
	"code":      exitsWith,
	"token":     secretToken,
	"nowhere":   nowhere,
	"json":      validJSON,
	"fits":      fits,
	"overall":   overall,
	"ended":     ended,
	"alias":     aliasBomb,
	"count":     countMatches,
	"full-disk": fullDisk,
}

// exitsWith runs a program and compares its exit code: code N program args...
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code number program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", args[1], got, want)
	}
}

// secretToken sets a variable to the secret that examples/manager makes for a service:
// token VARIABLE project-environment/region. It is the value in the state.
func secretToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: token variable name")
	}
	sum := sha256.Sum256([]byte(args[1] + "/token"))
	ts.Setenv(args[0], hex.EncodeToString(sum[:])[:32])
}

// nowhere fails when a text stands in a file below a directory, or in a name.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || len(args[0]) < 4 {
		ts.Fatalf("usage: nowhere text dir")
	}
	files := 0
	err := filepath.WalkDir(ts.MkAbs(args[1]), func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(at)
		if err == nil && strings.Contains(at+"\n"+string(content), args[0]) {
			err = fmt.Errorf("%s holds %q", at, args[0])
		}
		return err
	})
	ts.Check(err)
	if files == 0 {
		ts.Fatalf("%s holds no file at all", args[1])
	}
}

// validJSON checks that a file, or stdout, is one JSON document. Further
// arguments are paths into it with the value that stands there: a.b.0=text.
func validJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json file [path=value...]")
	}
	var document any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	for _, pair := range args[1:] {
		path, want, _ := strings.Cut(pair, "=")
		at := document
		for key := range strings.SplitSeq(path, ".") {
			switch v := at.(type) {
			case map[string]any:
				at = v[key]
			case []any:
				i, err := strconv.Atoi(key)
				if err != nil || i >= len(v) {
					ts.Fatalf("%s: no element %q", path, key)
				}
				at = v[i]
			default:
				ts.Fatalf("%s: nothing below %v", path, at)
			}
		}
		if got := fmt.Sprint(at); got != want {
			ts.Fatalf("%s is %q, want %q", path, got, want)
		}
	}
}

// fits holds what a command printed against the schema that metapipe prints for it:
// fits name file.
func fits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fits name file")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(cli.Schemas()[args[0]]))
	ts.Check(err)
	c := jsonschema.NewCompiler()
	ts.Check(c.AddResource("schema.json", document))
	schema, err := c.Compile("schema.json")
	ts.Check(err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(schema.Validate(value))
}

// statusFile is one file of customer/statuses in the folder of a rehearsal.
type statusFile []struct{ Context, State, Description string }

// readStatuses reads all of them, by file.
func readStatuses(ts *testscript.TestScript, out string) map[string]statusFile {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(out), "customer", "statuses", "*.json"))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("%s holds no statuses", out)
	}
	all := map[string]statusFile{}
	for _, file := range files {
		var statuses statusFile
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &statuses))
		all[filepath.Base(file)] = statuses
	}
	return all
}

// ended fails when a status in the folder of a rehearsal is still pending, or
// when a description is longer than GitHub allows.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended dir")
	}
	for file, statuses := range readStatuses(ts, args[0]) {
		last := map[string]string{}
		for _, s := range statuses {
			last[s.Context] = s.State
			if n := len([]rune(s.Description)); n > 140 || n == 0 {
				ts.Fatalf("%s: the description of %s has %d characters", file, s.Context, n)
			}
		}
		for statusContext, state := range last {
			if state == "pending" {
				ts.Fatalf("%s: %s never ended", file, statusContext)
			}
		}
	}
}

// overall counts the commits of a rehearsal whose last status of a context is
// of a state: overall dir context state number.
func overall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: overall dir context state number")
	}
	var states []string
	for _, statuses := range readStatuses(ts, args[0]) {
		last := ""
		for _, s := range statuses {
			if s.Context == args[1] {
				last = s.State
			}
		}
		states = append(states, last)
	}
	slices.Sort(states)
	n := len(slices.DeleteFunc(slices.Clone(states), func(s string) bool { return s != args[2] }))
	if strconv.Itoa(n) != args[3] {
		ts.Fatalf("%d commits have %s as %s, want %s (all: %v)", n, args[1], args[2], args[3], states)
	}
}

// aliasBomb writes a YAML file whose aliases unfold to billions of nodes.
func aliasBomb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: alias file")
	}
	var b strings.Builder
	b.WriteString("project_name: bomb\na0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// countMatches compares how often a pattern matches in a file: count n pattern
// file.
func countMatches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count number pattern file")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	if n := len(pattern.FindAllString(ts.ReadFile(args[2]), -1)); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%q matches %d times in %s, want %s", args[1], n, args[2], args[0])
	}
}

// fullDisk mounts a file system of some hundred kilobytes: full-disk dir
// hundreds. Only root can; the condition of the same name says so.
func fullDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: full-disk dir hundreds")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(fixture.MountSmall(dir, args[1]+"00k"))
	ts.Defer(func() {
		if err := fixture.UnmountSmall(dir); err != nil {
			ts.Logf("unmount %s: %v", dir, err)
		}
	})
}
