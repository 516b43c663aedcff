package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// mayImport says which packages of this module a package below pkg may import,
// beside its own subpackages. Every package has a line here: a new one takes its
// place in the house by being named.
//
// Arrows point inward: cli → adapters → pipeline.
var mayImport = map[string][]string{
	"pipeline": {},
	"actions":  {"pipeline", "retry", "text"},
	"config":   {"pipeline", "retry", "strictyaml", "text"},
	"github":   {"pipeline", "retry", "text"},
	"render":   {"pipeline", "text"},
	"store":    {"pipeline", "awsenv", "text"},
	// Reads what is true about customers from files, services and directories of people.
	"sources": {"pipeline", "retry", "text"},
	// Reads and writes the stacks of an account of Spacelift.
	"spacelift":             {"pipeline", "retry", "text"},
	"starter":               {"pipeline", "config", "text", "variables", "workflow"},
	"engine/terraform":      {"pipeline", "text", "engine/enginetest", "engine/jsonvalue", "engine/process", "engine/redact", "engine/tree"},
	"engine/ansible":        {"pipeline", "text", "engine/jsonvalue", "engine/process", "engine/redact", "engine/tree"},
	"engine/kubernetes":     {"pipeline", "text", "engine/enginetest", "engine/jsonvalue", "engine/process", "engine/redact", "engine/tree"},
	"engine/pulumi":         {"pipeline", "text", "engine/enginetest", "engine/jsonvalue", "engine/process", "engine/redact", "engine/tree"},
	"engine/cloudformation": {"pipeline", "awsenv", "text", "engine/jsonvalue", "engine/process", "engine/redact", "engine/tree"},
	// What engines share. None of these packages imports an engine.
	"engine/jsonvalue": {"pipeline", "text"},
	"engine/process":   {"pipeline", "text"},
	"engine/redact":    {"pipeline", "text", "engine/jsonvalue"},
	"engine/tree":      {"pipeline", "text"},
	// What every engine must do. No shipped package imports it.
	"engine/enginetest": {"pipeline"},
	"variables":         {"pipeline", "strictyaml", "text"},
	"workflow":          {"pipeline", "text"},
	// Reads the names of a hostile checkout.
	"content": {"pipeline"},
	// What both read, so that there are not two parsers of hostile YAML.
	"strictyaml": {"pipeline", "text"},
	// What a secret may look like, for the mask of the log and for that of plans.
	"text": {},
	// Directories that no killed process leaves behind for long.
	"tempdir": {},
	// How AWS is found and asked again, the same for all of its services.
	"awsenv": {"retry"},
	// When and how often a request is sent again, the same for all servers.
	"retry": {},
	// The one place that starts git.
	"gitrepo": {},
	// Tests of the whole program. No shipped package imports them.
	"acceptance": {"pipeline", "actions", "config", "github", "render", "sources", "starter", "store", "engine/ansible", "engine/cloudformation", "engine/kubernetes", "engine/process", "engine/pulumi", "engine/terraform", "variables", "content", "workflow", "rehearsal", "gitrepo", "spacelift", "text", "tempdir", "cli"},
	// Plays the workflows of both sides, as Actions does. It reads the manager's configuration
	// to know the customer, and writes the shipped workflows where a side has none.
	"rehearsal": {"pipeline", "config", "workflow", "gitrepo", "tempdir", "text"},
	"cli":       {"pipeline", "actions", "config", "github", "render", "sources", "starter", "store", "engine/ansible", "engine/cloudformation", "engine/kubernetes", "engine/process", "engine/pulumi", "engine/terraform", "variables", "content", "workflow", "rehearsal", "gitrepo", "spacelift", "text", "tempdir"},
}

// rooms says which other rooms below pkg/pipeline a room may import, beside pipeline
// itself, which imports none. Use cases never import each other.
var rooms = map[string][]string{
	"record":   {},
	"ledger":   {"record"},
	"registry": {"ledger", "record"},
	"intake":   {"registry", "ledger", "record"},
	"deploy":   {"registry", "ledger", "record"},
	"publish":  {"registry", "ledger", "record"},
	// What looks at the fleet, and writes issues about what it finds, stands on these two.
	"scans":  {"record"},
	"issues": {"record"},
	// Whatever writes values to GitHub or another service stands on it.
	"change":     {"ledger", "record"},
	"properties": {"change"},
	"settings":   {"change"},
	"onboarding": {"change", "settings"},
	"provision":  {"change", "ledger", "record"},
	"compliance": {"issues", "record"},
	"sourcesync": {"properties", "change", "ledger", "record"},
	// It shows what drift and the ledgers know.
	"fleetstatus": {"scans", "issues", "ledger", "record"},
	"drift":       {"scans", "issues", "registry", "ledger", "record"},
	"recovery":    {"registry", "ledger", "record"},
	// It looks, and writes nothing.
	"doctor": {},
	// The sweep reports on the requests that it closes.
	"sweep": {"publish", "registry", "ledger", "record"},
	// For the tests of all of them. No shipped package imports it.
	"pipelinetest": {"sweep", "publish", "deploy", "intake", "registry", "ledger", "record"},
}

// toolRooms says the same for the packages below pkg/engine/terraform. None of them imports
// pkg/engine/terraform, the engine, which puts them together.
var toolRooms = map[string][]string{
	"iam":           {},
	"module":        {},
	"tool":          {},
	"output":        {},
	"statefile":     {},
	"planjson":      {},
	"trace":         {"module"},
	"terraformtest": {},
}

// goPackage is what `go list -json` tells of a package.
type goPackage struct {
	ImportPath string
	Name       string
	Doc        string
	Standard   bool
	Imports    []string
	Deps       []string
}

func (p goPackage) own() bool {
	return p.ImportPath == fixture.ModulePath || strings.HasPrefix(p.ImportPath, fixture.ModulePath+"/")
}

// layers returns the name below pkg that a package belongs to: "rehearsal" for
// pkg/rehearsal/hub, and "engine/terraform" for pkg/engine/terraform/tool, since each
// engine is an adapter of its own. It is empty for packages that are not below pkg.
func layers(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, fixture.ModulePath+"/pkg/")
	if !ok {
		return ""
	}
	name, below, _ := strings.Cut(rest, "/")
	if name == "engine" {
		engine, _, _ := strings.Cut(below, "/")
		return name + "/" + engine
	}
	return name
}

func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Name,Doc,Standard,Imports,Deps", "./...")
	cmd.Dir = fixture.RepoRoot
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &errOut)
	}
	packages := map[string]goPackage{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// methodLookups look methods up by reflection.
var methodLookups = []string{"text/template", "html/template", "github.com/google/go-cmp/cmp", "github.com/hashicorp/hcl/v2/hclwrite"}

func TestPackages(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	if !packages[fixture.ModulePath+"/cmd/metapipe"].own() || !packages[fixture.ModulePath+"/pkg/pipeline"].own() {
		t.Fatal("go list did not find this module")
	}
	for _, p := range packages {
		if !p.own() {
			continue
		}
		checkName(t, p)
		checkImports(t, p)
		checkRoom(t, p)
		checkToolRoom(t, p)
	}
	for _, dep := range packages[fixture.ModulePath+"/cmd/metapipe"].Deps {
		if dep == "testing" || layers(dep) == "acceptance" || packages[dep].own() && strings.HasSuffix(dep, "test") {
			t.Errorf("cmd/metapipe depends on %s: that is for tests", dep)
		}
		for _, imported := range packages[dep].Imports {
			if packages[dep].own() && slices.Contains(methodLookups, imported) {
				t.Errorf("%s imports %s: the linker would keep every method, see docs/decisions/0008-no-method-lookup.md", dep, imported)
			}
		}
	}
	for _, dep := range packages[fixture.ModulePath+"/pkg/pipeline"].Deps {
		if !packages[dep].Standard {
			t.Errorf("pkg/pipeline depends on %s: it may use the standard library only", dep)
		}
	}
	for room := range toolRooms {
		if !packages[terraformPath+"/"+room].own() {
			t.Errorf("pkg/engine/terraform/%s does not exist: remove it from toolRooms", room)
		}
	}
	for room := range rooms {
		if !packages[pipelinePath+room].own() {
			t.Errorf("pkg/pipeline/%s does not exist: remove it from rooms", room)
		}
	}
}

// checkToolRoom checks what a package below pkg/engine/terraform imports.
func checkToolRoom(t *testing.T, p goPackage) {
	t.Helper()
	room, ok := strings.CutPrefix(p.ImportPath, terraformPath+"/")
	if !ok {
		return
	}
	allowed, known := toolRooms[room]
	if !known {
		t.Errorf("%s is not in toolRooms", p.ImportPath)
	}
	for _, imported := range p.Imports {
		other, isRoom := strings.CutPrefix(imported, terraformPath+"/")
		if imported == terraformPath || isRoom && !slices.Contains(allowed, other) {
			t.Errorf("%s imports %s: it may import %v of pkg/engine/terraform", p.ImportPath, imported, allowed)
		}
	}
}

const terraformPath = fixture.ModulePath + "/pkg/engine/terraform"

const pipelinePath = fixture.ModulePath + "/pkg/pipeline/"

// checkRoom checks what a package below pkg/pipeline imports.
func checkRoom(t *testing.T, p goPackage) {
	t.Helper()
	room, ok := strings.CutPrefix(p.ImportPath, pipelinePath)
	if !ok {
		return
	}
	allowed, known := rooms[room]
	if !known {
		t.Errorf("%s is not in rooms", p.ImportPath)
	}
	for _, imported := range p.Imports {
		other, isRoom := strings.CutPrefix(imported, pipelinePath)
		switch {
		case isRoom && !slices.Contains(allowed, other):
			t.Errorf("%s imports %s: it may import %v of the rooms", p.ImportPath, imported, allowed)
		case room == "pipelinetest" && imported == fixture.ModulePath+"/pkg/store": // to test with a store on disk
		case !isRoom && imported != fixture.ModulePath+"/pkg/pipeline" && strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
			t.Errorf("%s imports %s: it may use the standard library only", p.ImportPath, imported)
		}
	}
}

func checkName(t *testing.T, p goPackage) {
	t.Helper()
	if p.Doc == "" {
		t.Errorf("%s has no sentence of documentation", p.ImportPath)
	}
	for _, word := range []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"} {
		if slices.Contains(strings.Split(p.ImportPath, "/"), word) || p.Name == word {
			t.Errorf("%s: %q says nothing; name it after what it does", p.ImportPath, word)
		}
	}
}

func checkImports(t *testing.T, p goPackage) {
	t.Helper()
	self := layers(p.ImportPath)
	allowed, known := mayImport[self]
	switch p.ImportPath {
	case fixture.ModulePath + "/cmd/metapipe":
		allowed, known = []string{"cli"}, true
	case fixture.ModulePath + "/cmd/metapipe/internal/firstcollection":
		allowed, known = nil, true
	case pipelinePath + "pipelinetest":
		allowed = append(slices.Clone(allowed), "store")
	case fixture.ModulePath + "/workflows": // the shipped files, for the binary
		allowed, known = nil, true
	}
	if !known {
		t.Errorf("%s has no place in the house: add it to mayImport", p.ImportPath)
		return
	}
	for _, imported := range p.Imports {
		other := layers(imported)
		if other != "" && other != self && !slices.Contains(allowed, other) {
			t.Errorf("%s imports %s: it may import %v of this module", p.ImportPath, imported, allowed)
		}
		if strings.HasSuffix(imported, "test") && other != "" && !strings.HasSuffix(p.ImportPath, "test") && self != "acceptance" {
			t.Errorf("%s imports %s: that is for tests", p.ImportPath, imported)
		}
	}
}

func TestMainIsShort(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, "cmd", "metapipe", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(content, []byte("\n")); lines > 30 {
		t.Errorf("main.go has %d lines, want 30 at most: what it does belongs in pkg/cli, where it can be tested", lines)
	}
}

// repoFiles returns the paths of the files of the repository, with slashes, and
// without those that git ignores.
func repoFiles(t *testing.T) []string {
	t.Helper()
	// The checkout may belong to another user, as in a container.
	cmd := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = fixture.RepoRoot
	out, err := cmd.Output()
	if err != nil {
		return walkFiles(t)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	// Deleted and not yet committed.
	return slices.DeleteFunc(files, func(name string) bool {
		info, err := os.Lstat(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		return err != nil || !info.Mode().IsRegular()
	})
}

// walkFiles is repoFiles for a source archive, which git knows nothing of.
func walkFiles(t *testing.T) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(fixture.RepoRoot), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "dist", "rehearsal"}, name):
			return fs.SkipDir
		case entry.Type().IsRegular():
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := strings.Fields("cmd pkg action.yml workflows examples testdata docs go.mod go.sum Makefile README.md CHANGELOG.md LICENSE")
	var seen []string
	for _, name := range repoFiles(t) {
		top, _, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(allowed, top) && !slices.Contains(seen, top) {
			seen = append(seen, top)
			t.Errorf("%s is a new name at the top: put it into one of %v", top, allowed)
		}
	}
}

// registryHost matches the hosts that packages are downloaded from. Which of
// them is asked is the business of the machine: a mirror must do as well.
var registryHost = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
	`proxy\.golang\.` + `org`, `sum\.golang\.` + `org`, `registry\.npmjs\.` + `org`, `registry\.terraform\.` + `io`,
	`registry\.opentofu\.` + `org`, `(deb|security|ftp)\.debian\.` + `org`, `pypi\.` + `org`,
}, "|") + `)\b`)

func TestNoRegistryIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range repoFiles(t) {
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if at := registryHost.FindIndex(content); at != nil {
			line := bytes.Count(content[:at[0]], []byte("\n")) + 1
			t.Errorf("%s:%d names the host %s", name, line, content[at[0]:at[1]])
		}
	}
}

// TestPatternsCompile compiles every text.Pattern: a command finds out at its first use only.
func TestPatternsCompile(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range repoFiles(t) {
		if !strings.HasPrefix(name, "pkg/") || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "Pattern" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true // put together, and compiled by the tests of its package
			}
			expr, err := strconv.Unquote(literal.Value)
			if err == nil {
				_, err = regexp.Compile(expr)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			found++
			return true
		})
	}
	if found < 30 {
		t.Errorf("only %d patterns were found", found)
	}
}
