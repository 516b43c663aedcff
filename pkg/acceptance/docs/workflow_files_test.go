package docs

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// workflowFiles returns the workflows and actions of the repository, also those
// in examples and templates.
func workflowFiles(t *testing.T) (workflows, actions []string) {
	t.Helper()
	for _, name := range repoFiles(t) {
		folder, base := path.Split(name)
		switch {
		case path.Ext(base) != ".yml" && path.Ext(base) != ".yaml":
		case base == "action.yml" || base == "action.yaml":
			actions = append(actions, name)
		case strings.HasPrefix(folder, "workflows/"), strings.HasSuffix(folder, ".github/workflows/"):
			workflows = append(workflows, name)
		}
	}
	if len(workflows) == 0 {
		t.Fatal("found no workflow at all")
	}
	return workflows, actions
}

// lintIgnores are the findings of actionlint that are not ours.
var lintIgnores = []string{
	// A key of GitHub's that actionlint does not know yet; its value is checked
	// by workflowProblems.
	`^unexpected key "queue" for "concurrency" section\.`,
}

func TestWorkflowsPassActionlint(t *testing.T) {
	t.Parallel()
	// When it is installed, shellcheck reads the scripts in the workflows too.
	shellcheck, err := exec.LookPath("shellcheck")
	switch {
	case err == nil:
	case os.Getenv("METAPIPE_REQUIRE_SHELLCHECK") != "":
		t.Error("shellcheck is not installed, and the scripts in workflows are to be checked")
	default:
		t.Log("shellcheck is not installed: the scripts in workflows are not checked")
	}
	workflows, _ := workflowFiles(t)
	for _, name := range workflows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(fixture.RepoRoot, filepath.FromSlash(name))
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// Local actions and reusable workflows are looked up from the root
			// of the repository that the file is for.
			root, _, inPlace := strings.Cut(name, ".github/workflows/")
			if !inPlace {
				// workflows/<side>/ is what the example of that side holds.
				root = path.Join("examples", path.Base(path.Dir(name)))
			}
			project, err := actionlint.NewProject(filepath.Join(fixture.RepoRoot, filepath.FromSlash(root)))
			if err != nil {
				t.Fatal(err)
			}
			linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: shellcheck, IgnorePatterns: lintIgnores})
			if err != nil {
				t.Fatal(err)
			}
			findings, err := linter.Lint(file, content, project)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				t.Errorf("%s:%d:%d: %s [%s]", name, f.Line, f.Column, f.Message, f.Kind)
			}
		})
	}
}

// TestWorkflowsOfExamples holds the copies in the examples against workflows/.
func TestWorkflowsOfExamples(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	originals, copies := map[string]bool{}, 0
	for _, name := range repoFiles(t) {
		side, file, ok := strings.Cut(strings.TrimPrefix(name, "workflows/"), "/")
		if !ok || !strings.HasPrefix(name, "workflows/") {
			continue
		}
		examples := []string{side}
		if side == "manager" {
			examples = append(examples, "manager-aws")
		}
		for _, example := range examples {
			place := path.Join("examples", example, ".github", "workflows", file)
			if path.Ext(file) == ".md" {
				place = path.Join("examples", example, ".github", file)
			}
			originals[place] = true
			if read(name) != read(place) {
				t.Errorf("%s is not %s; run: make workflows", place, name)
			}
		}
	}
	for _, name := range repoFiles(t) {
		if strings.HasPrefix(name, "examples/") && strings.Contains(name, "/.github/") {
			copies++
			if !originals[name] {
				t.Errorf("%s has no original in workflows/", name)
			}
		}
	}
	if copies < 4 {
		t.Errorf("only %d workflow files found in the examples", copies)
	}
}

// TestSetupNamesEverySetting holds that the setup guide knows each secret and
// variable that the workflows read.
func TestSetupNamesEverySetting(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join(fixture.RepoRoot, "docs", "SETUP.md"))
	if err != nil {
		t.Fatal(err)
	}
	setting := regexp.MustCompile(`\b(?:secrets|vars)\.([A-Z_]+)`)
	found := 0
	for _, name := range repoFiles(t) {
		if !strings.HasPrefix(name, "workflows/") || path.Ext(name) != ".yml" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range setting.FindAllSubmatch(content, -1) {
			found++
			if !bytes.Contains(guide, append(append([]byte("`"), match[1]...), '`')) {
				t.Errorf("docs/SETUP.md does not tell of %s, which %s reads", match[1], name)
			}
		}
	}
	if found == 0 {
		t.Error("the workflows read no setting at all")
	}
}

// pinned is an action at a commit, with the version as a comment for people.
var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)

func TestWorkflowsAreSafe(t *testing.T) {
	t.Parallel()
	workflows, actions := workflowFiles(t)
	for _, name := range append(workflows, actions...) {
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range workflowProblems(t, name, content) {
			t.Error(problem)
		}
	}
}

// workflowProblems reports expressions inside scripts, actions that are not
// pinned, and queues that GitHub does not know.
func workflowProblems(t *testing.T, name string, content []byte) (problems []string) {
	t.Helper()
	report := func(node *yaml.Node, text string) {
		problems = append(problems, name+":"+strconv.Itoa(node.Line)+": "+text)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	eachKey(&document, func(key string, value *yaml.Node) {
		switch {
		case value.Kind != yaml.ScalarNode:
		case (key == "run" || key == "script") && strings.Contains(value.Value, "${{"):
			report(value, "an expression inside a script is code of whoever controls its value: hand it over through env")
		case key == "uses" && !strings.HasPrefix(value.Value, "./"):
			if !pinned.MatchString(value.Value) {
				report(value, "pin "+value.Value+" to the commit of a version")
			} else if !strings.HasPrefix(value.LineComment, "# v") {
				report(value, "say in a comment which version "+value.Value+" is")
			}
		case key == "queue" && value.Value != "max":
			report(value, "concurrency.queue can only be max")
		}
	})
	return problems
}

// eachKey calls f for every key of every mapping.
func eachKey(node *yaml.Node, f func(key string, value *yaml.Node)) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			f(node.Content[i].Value, node.Content[i+1])
		}
	}
	for _, child := range node.Content {
		eachKey(child, f)
	}
}

func TestWorkflowProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]string{ // line → a part of what is said; empty: nothing
		`run: echo ${{ inputs.x }}`:                          "hand it over through env",
		"run: |\n  true\n  echo '${{ github.ref }}'":         "hand it over through env",
		`run: echo "$X"`:                                     "",
		`if: ${{ always() }}`:                                "",
		`uses: actions/checkout@v4`:                          "pin actions/checkout@v4",
		`uses: a/b@` + strings.Repeat("0", 40):               "in a comment",
		`uses: a/b/c@` + strings.Repeat("0", 40) + ` # v1.2`: "",
		`uses: ./.github/workflows/x.yml`:                    "",
		`uses: metapipe/metapipe@v1`:                         "pin metapipe/metapipe@v1",
		`uses: docker://alpine`:                              "pin docker",
		`concurrency: {group: a, queue: max}`:                "",
		`concurrency: {group: a, queue: 100}`:                "can only be max",
	}
	for line, want := range cases {
		got := strings.Join(workflowProblems(t, "x.yml", []byte(line+"\n")), "\n")
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

// TestWorkflowsPinTheAction: this project's action gets every secret of a job, so
// the shipped workflows name it by a commit, and one that has the present action.
// A commit that changes the action cannot know its own name: the next one pins it
// (make pin).
func TestWorkflowsPinTheAction(t *testing.T) {
	t.Parallel()
	workflows, _ := workflowFiles(t)
	uses := regexp.MustCompile(`uses: metapipe/metapipe@(\S+) # (v\S+)\n +with:\n +version: (v\S+)\n`)
	commits, found := map[string]bool{}, 0
	for _, name := range workflows {
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		matches := uses.FindAllStringSubmatch(text, -1)
		if len(matches) != strings.Count(text, "uses: metapipe/metapipe") {
			t.Errorf("%s uses the action without a commit and a release", name)
		}
		for _, m := range matches {
			found++
			commits[m[1]] = true
			if m[2] != m[3] {
				t.Errorf("%s: the comment says %s and the input %s", name, m[2], m[3])
			}
		}
	}
	if found == 0 || len(commits) != 1 {
		t.Fatalf("the workflows use the action %d times, at %v", found, commits)
	}
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", fixture.RepoRoot}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	if git("rev-parse", "--is-shallow-repository") != "false" {
		return // the history is not here: the form of the pin is all that can be checked
	}
	for _, at := range []string{"HEAD", "HEAD~1"} {
		if changed := git("log", "-1", "--format=%H", at, "--", "action.yml", ".ci/action"); commits[changed] {
			return
		}
	}
	t.Errorf("the workflows pin an older action %v; run: make pin", commits)
}

// TestWorkflowsStartOnTheDefaultBranch: in the workflows of the manager no job begins on
// another ref, whoever starts them there. A schedule runs on the default branch alone.
func TestWorkflowsStartOnTheDefaultBranch(t *testing.T) {
	t.Parallel()
	const condition = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
	first := 0
	for _, name := range repoFiles(t) {
		if path.Dir(name) != "workflows/manager" {
			continue
		}
		var w struct {
			On   map[string]any `yaml:"on"`
			Jobs map[string]struct {
				If    string `yaml:"if"`
				Needs any    `yaml:"needs"`
			} `yaml:"jobs"`
		}
		content := fixture.Must(os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name))))(t)
		fixture.Check(t, yaml.Unmarshal(content, &w))
		if _, called := w.On["workflow_call"]; called && len(w.On) == 1 {
			continue // by a job of a workflow that is looked at here
		}
		_, scheduled := w.On["schedule"]
		for job, j := range w.Jobs {
			switch {
			case j.Needs == nil:
				first++
				if want := condition; j.If != want && (!scheduled || j.If != "github.event_name == 'schedule' || "+want) {
					t.Errorf("%s: job %s begins on every ref: if: %s", name, job, j.If)
				}
			// A job that runs although others were skipped has to look.
			case strings.Contains(j.If, "always()") && !regexp.MustCompile(`needs\.(prepare\.result != 'skipped'|list\.outputs\.scan != '')`).MatchString(j.If):
				t.Errorf("%s: job %s runs after a job that was skipped: if: %s", name, job, j.If)
			}
		}
	}
	if first < 3 {
		t.Errorf("only %d jobs begin a workflow", first)
	}
}
