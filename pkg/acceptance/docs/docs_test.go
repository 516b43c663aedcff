package docs

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/cli"
)

var update = flag.Bool("update", false, "write the generated documents anew")

// TestReference holds docs/REFERENCE.md against the command tree.
func TestReference(t *testing.T) {
	t.Parallel()
	file := filepath.Join(fixture.Root(t), "docs", "REFERENCE.md")
	want := cli.Reference(cli.NewRoot(&cli.App{}))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/REFERENCE.md is not what the commands say; run: make golden")
	}
}

// TestConfiguration holds docs/CONFIGURATION.md against the schemas.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(fixture.Root(t), "docs", "CONFIGURATION.md")
	schema := fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "examples", "manager", "schema", "variables.schema.json")))(t)
	want := fixture.Must(cli.Configuration(cli.Schemas()["metapipe"], cli.Schemas()["customer"], schema))(t)
	if *update {
		fixture.Check(t, os.WriteFile(file, []byte(want), 0o600))
	}
	if got := fixture.Must(os.ReadFile(file))(t); string(got) != want {
		t.Error("docs/CONFIGURATION.md is not what the schemas say; run: make golden")
	}
}

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// onlyFlags are the commands that need a workflow run, a token, a key, a bucket or a lock: of
// those only the flags are looked at.
var onlyFlags = regexp.MustCompile(`(?m)^(metapipe (?:trigger|forward|doctor|onboard|offboard|drift(?: (?:list|scan|summary))?|unlock|apply|fetch-vars|report|sweep|rekey|properties (?:show|set|schema)|compliance(?: import)?|sync|spacelift (?:sync|remove)|customer rename|bootstrap (?:state|roles)|state (?:recover|restore|accept|reindex)))( |$)`)

// TestDocumentedCommands runs the sh blocks of the documents in a manager checkout
// with a customer's checkout beside it, and those for customers in the latter. make is run dry, since it runs this test.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	blocks := 0
	for _, document := range documents(t) {
		if document == fixture.RecoveryPages || document == fixture.EndingPages {
			continue // they need something to recover or to end: the tests of these pages play them
		}
		text, err := os.ReadFile(filepath.Join(fixture.Root(t), document))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			blocks++
			script := regexp.MustCompile(`(?m)^make `).ReplaceAllString(block[1], "make -n -C '"+fixture.Root(t)+"' ")
			script = "REQUEST= RECEIPT=\n" + onlyFlags.ReplaceAllString(script, "$1 --help$2")
			t.Run(document, func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
				cmd.Dir = twoRepos(t, managerOf(document))
				if document == filepath.Join("docs", "CUSTOMERS.md") {
					cmd.Dir = filepath.Join(filepath.Dir(cmd.Dir), "shop-platform") // the page of customers
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s\n%s", err, script, out)
				}
			})
		}
	}
	if blocks < 5 {
		t.Fatalf("only %d blocks of commands found in the documents", blocks)
	}
}

// TestLinks follows the links between the documents, to their headings too.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, document := range documents(t) {
		text, err := os.ReadFile(filepath.Join(fixture.Root(t), document))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllSubmatch(bytes.ReplaceAll(text, []byte("`"), nil), -1) {
			target := filepath.Join(fixture.Root(t), filepath.Dir(document), string(match[1]))
			if len(match[1]) == 0 { // to a heading of this document
				target = filepath.Join(fixture.Root(t), document)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", document, match[1], err)
			} else if len(match[2]) > 0 && !slices.Contains(anchors(t, target), string(match[2][1:])) {
				t.Errorf("%s: link to %s%s: no such heading", document, match[1], match[2])
			}
		}
	}
}

// anchors are those that GitHub gives to the headings of a document.
func anchors(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	heading, dropped := regexp.MustCompile(`(?m)^#+ +(.*)$`), regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	var all []string
	for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return all
}

// TestNamedFilesExist looks for each Go file that a document names.
func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	file := regexp.MustCompile(`\b(?:cmd|pkg)/[\w./-]+\.go\b`)
	named := 0
	for _, document := range append(documents(t), ".github/CONTRIBUTING.md") {
		text, err := os.ReadFile(filepath.Join(fixture.Root(t), document))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range file.FindAllString(string(text), -1) {
			named++
			if _, err := os.Stat(filepath.Join(fixture.Root(t), name)); err != nil {
				t.Errorf("%s names %s: %v", document, name, err)
			}
		}
	}
	if named == 0 {
		t.Error("no document names a file")
	}
}

// documents are the Markdown files that people read, relative to the root.
func documents(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md"}
	for _, dir := range []string{"docs", "examples"} {
		err := filepath.WalkDir(filepath.Join(fixture.Root(t), dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
				rel, relErr := filepath.Rel(fixture.Root(t), path)
				list = append(list, rel)
				return relErr
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// managerOf is the example that the commands of a document work on.
func managerOf(document string) string {
	if dir := filepath.ToSlash(filepath.Dir(document)); strings.HasPrefix(dir, "examples/manager-") {
		return dir
	}
	if document == filepath.Join("docs", "ANSIBLE.md") {
		return "examples/manager-hosts"
	}
	if document == filepath.Join("docs", "KUBERNETES.md") {
		return "examples/manager-kubernetes"
	}
	if document == filepath.Join("docs", "PULUMI.md") {
		return "examples/manager-pulumi"
	}
	if document == filepath.Join("docs", "CLOUDFORMATION.md") {
		return "examples/manager-cloudformation"
	}
	return "examples/manager"
}

// twoRepos copies the examples as the documents assume them and returns the
// manager's directory.
func twoRepos(t *testing.T, manager string) string {
	t.Helper()
	dir := t.TempDir()
	for to, from := range map[string]string{"manager": manager, "shop-platform": "examples/customer", "customer": "examples/customer"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(filepath.Join(fixture.Root(t), from))); err != nil {
			t.Fatal(err)
		}
	}
	fixture.Check(t, os.MkdirAll(filepath.Join(dir, "manager", ".metapipe", "state"), 0o700)) // something was deployed before
	return filepath.Join(dir, "manager")
}
