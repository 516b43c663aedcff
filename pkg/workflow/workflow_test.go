package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func shipped(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "workflows", "manager", "infra-deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var two = chain("staging", "production")

// chain are targets by their names: "staging", or "staging/network".
func chain(names ...string) []pipeline.Target {
	targets := make([]pipeline.Target, len(names))
	for i, name := range names {
		env, stack, _ := strings.Cut(name, "/")
		targets[i] = pipeline.Target{Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}
	}
	return targets
}

func TestShippedWorkflowIsWritten(t *testing.T) {
	t.Parallel()
	raw := shipped(t)
	written, err := Write(raw, two)
	if err != nil || string(written) != string(raw) {
		t.Errorf("workflows/manager/infra-deploy.yml is not what Write writes (%v):\n%s", err, written)
	}
}

func TestWriteSatisfiesCheck(t *testing.T) {
	t.Parallel()
	for _, environments := range [][]pipeline.Target{chain("prod"), two, chain("1st", "eu-west", "prepare", "finish"), chain("a/b", "a/c", "b/b", "b/c"), chain("a", "a-b", "a/b", "a-b/c", "a/b-c")} {
		written, err := Write(shipped(t), environments)
		if err != nil {
			t.Fatal(err)
		}
		if problems := Check(written, environments); len(problems) > 0 {
			t.Errorf("%v: %v\n%s", environments, problems, written)
		}
		again, err := Write(written, two)
		if err != nil || string(again) != string(shipped(t)) {
			t.Errorf("%v: writing it back gives another file (%v)", environments, err)
		}
	}
}

// TestWriteKeepsLineEnds takes a checkout on Windows.
func TestWriteKeepsLineEnds(t *testing.T) {
	t.Parallel()
	windows := strings.ReplaceAll(string(shipped(t)), "\n", "\r\n")
	if problems := Check([]byte(windows), two); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	written, err := Write([]byte(windows), two[:1])
	if err != nil || strings.Count(string(written), "\n") != strings.Count(string(written), "\r\n") {
		t.Errorf("line ends are mixed (%v):\n%q", err, written)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	edit := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	cases := map[string]struct {
		change       func(string) string
		environments []pipeline.Target
		want         string
		warning      bool
	}{
		"as shipped":      {environments: two},
		"one more":        {environments: chain("staging", "qa", "production"), want: `no job deploys to "qa"`},
		"one less":        {environments: two[:1], want: `job "target-production" deploys to "production", which metapipe.yml does not name`},
		"other order":     {environments: chain("production", "staging"), want: "promote through staging → production, and metapipe.yml through production → staging"},
		"does not wait":   {change: edit("needs: [prepare, target-staging]", "needs: prepare"), environments: two, want: "would not wait for staging"},
		"without prepare": {change: edit("needs: [prepare]", "needs: []"), environments: two, want: "does not need the job prepare"},
		"twice":           {change: edit(`environment: "production"`, `environment: "staging"`), environments: two, want: "a second time"},
		"with stacks":     {environments: chain("staging/network", "production/network"), want: `job "target-staging" deploys to "staging", which metapipe.yml does not name`},
		"another stack": {change: edit(`environment: "production"`, "environment: \"production\"\n      stack: \"network\""), environments: two,
			want: `job "target-production" deploys to "production/network", which metapipe.yml does not name`},
		"no last job":     {change: edit("\n  finish:", "\n  last:"), environments: two, want: "there is no job finish"},
		"not a workflow":  {change: func(string) string { return "[" }, environments: two, want: "not YAML"},
		"empty":           {change: func(string) string { return "" }, environments: two, want: "not YAML"},
		"a list":          {change: func(string) string { return "- a" }, environments: two, want: "no job deploys"},
		"edited":          {change: edit("!cancelled() && ", ""), environments: two, want: "not as metapipe writes it", warning: true},
		"its owner's own": {change: func(s string) string { return edit("!cancelled() && ", "")(edit("# </chain>", "# mine")(s)) }, environments: two},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := string(shipped(t))
			if c.change != nil {
				text = c.change(text)
			}
			problems := Check([]byte(text), c.environments)
			if c.want == "" {
				if len(problems) > 0 {
					t.Errorf("problems: %v", problems)
				}
				return
			}
			if !strings.Contains(problems.Error(), c.want) || problems[0].Warning != c.warning || problems[0].File != File {
				t.Errorf("problems %v, want %q", problems, c.want)
			}
		})
	}
}

// TestTargetTakesStacks: a workflow for one target that takes no stack fits a manager without
// stacks alone.
func TestTargetTakesStacks(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "workflows", "manager", "infra-target.yml"))
	if err != nil {
		t.Fatal(err)
	}
	older := []byte(strings.Replace(string(raw), "      stack: #", "      other: #", 1))
	stacks := chain("staging/network")
	if problems := append(append(CheckTarget(raw, stacks), CheckTarget(raw, two)...), CheckTarget(older, two)...); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	if problems := CheckTarget(older, stacks); len(problems) != 1 || !strings.Contains(problems.Error(), "infra-target.yml: workflow-chain: metapipe.yml names stacks, and the workflow has no input `stack`") {
		t.Errorf("an older workflow: %v", problems)
	}
	if problems := CheckTarget([]byte("["), two); problems.Err() == nil {
		t.Error("what is not YAML is taken for a workflow")
	}
}

// jobForm is what GitHub takes as the id of a job, and what expressions take as a property.
var jobForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// TestJobsOfTargets: hostile names give no two targets one job, one concurrency group or one
// name of an artifact, also where case does not count, and no job of the chain another one's id.
func TestJobsOfTargets(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "workflows", "manager", "infra-target.yml"))
	if err != nil {
		t.Fatal(err)
	}
	group := expression(t, string(raw), "group: ")
	apply, err := os.ReadFile(filepath.Join("..", "..", "workflows", "manager", "infra-apply.yml"))
	if err != nil {
		t.Fatal(err)
	}
	artifact := expression(t, string(apply), "name: errored-state-")
	labels := []string{"a", "a-a", "a-b", "a--b", "aa", "0", "1-0", "staging", "staging-network", "network", "network-staging", "prepare", "finish", "target", "target-a", "true", "null"}
	jobs, groups, artifacts := map[string]pipeline.Target{}, map[string]pipeline.Target{}, map[string]pipeline.Target{}
	once := func(what string, seen map[string]pipeline.Target, text string, target pipeline.Target) {
		if other, taken := seen[strings.ToLower(text)]; taken {
			t.Fatalf("%s and %s have one %s: %s", other, target, what, text)
		}
		seen[strings.ToLower(text)] = target
	}
	for _, env := range labels {
		for _, stack := range append([]string{""}, labels...) {
			target := pipeline.Target{Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}
			id := JobID(target)
			if !jobForm.MatchString(id) || id == "prepare" || id == "finish" || stack == "" && id != "target-"+env {
				t.Errorf("%s has the job %q", target.Name(), id)
			}
			once("job", jobs, id, target)
			once("artifact", artifacts, filled(artifact, "", target), target)
			for _, customer := range labels {
				target.Customer = pipeline.CustomerName(customer)
				once("concurrency group", groups, filled(group, customer, target), target)
			}
		}
	}
}

// expression is the rest of the line that begins with a text.
func expression(t *testing.T, raw, begins string) string {
	t.Helper()
	_, rest, found := strings.Cut(raw, " "+begins)
	line, _, _ := strings.Cut(rest, "\n")
	if !found || !strings.Contains(line, "inputs.stack") || !strings.Contains(line, "inputs.environment") {
		t.Fatalf("%q is not what the workflow writes after %q", line, begins)
	}
	return line
}

// filled evaluates the few expressions that the workflow writes.
func filled(text, customer string, target pipeline.Target) string {
	stack := regexp.MustCompile(`\$\{\{ inputs\.stack && format\('([^']*)', inputs\.stack\) \}\}`)
	if target.Stack == "" {
		text = stack.ReplaceAllString(text, "")
	} else {
		text = strings.ReplaceAll(stack.ReplaceAllString(text, "$1"), "{0}", string(target.Stack))
	}
	return strings.NewReplacer("${{ inputs.customer }}", customer, "${{ inputs.environment }}", string(target.Environment), "${{ github.run_attempt }}", "1").Replace(text)
}

func TestWriteNeedsMarks(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "jobs: {}\n", "# </chain>\n# <chain>\n"} {
		if _, err := Write([]byte(text), two); !errors.Is(err, ErrNoChain) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(shipped(f))
	f.Add([]byte("jobs: {finish: {needs: [[a]]}, x: {uses: ./.github/workflows/infra-target.yml, needs: *a}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if problems := Check(raw, two); len(problems) > 0 && problems.Error() == "" {
			t.Errorf("a problem says nothing: %+v", problems)
		}
		if written, err := Write(raw, two); err == nil {
			if again, err := Write(written, two); err != nil || string(again) != string(written) {
				t.Errorf("writing twice differs (%v)", err)
			}
		}
	})
}

// TestEdited: a workflow that somebody has changed is named with its first other line, whatever its chain of jobs and
// its line ends are.
func TestEdited(t *testing.T) {
	t.Parallel()
	files := os.DirFS(filepath.Join("..", "..", "workflows", "manager"))
	target, err := fs.ReadFile(files, "infra-target.yml")
	if err != nil {
		t.Fatal(err)
	}
	chained, err := Write(shipped(t), chain("one", "two", "three"))
	if err != nil {
		t.Fatal(err)
	}
	line := 1 + strings.Count(string(target[:strings.Index(string(target), "      - id: plan\n")]), "\n")
	for name, c := range map[string]struct {
		deploy, target string
		want           string
	}{
		"as shipped":    {string(shipped(t)), string(target), ""},
		"another chain": {string(chained), strings.ReplaceAll(string(target), "\n", "\r\n"), ""},
		"a step more":   {string(chained), strings.Replace(string(target), "      - id: plan\n", "      - run: exit 1\n      - id: plan\n", 1), fmt.Sprintf(".github/workflows/infra-target.yml:%d", line)},
		"at the end":    {string(chained) + "# mine\n", string(target), fmt.Sprintf(".github/workflows/infra-deploy.yml:%d", 1+strings.Count(string(chained), "\n"))},
		"outside":       {strings.Replace(string(chained), "name: Infrastructure deployment", "name: Deploy", 1), string(target), ".github/workflows/infra-deploy.yml:"},
	} {
		root := fstest.MapFS{File: {Data: []byte(c.deploy)}, ".github/workflows/infra-target.yml": {Data: []byte(c.target)}}
		var got []string
		for _, at := range Edited(root, files) {
			got = append(got, at.String())
		}
		if text := strings.Join(got, " "); c.want == "" && text != "" || !strings.HasPrefix(text, c.want) || len(got) > 1 {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}
