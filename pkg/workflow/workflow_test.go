package workflow

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

var two = []pipeline.Environment{"staging", "production"}

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
	for _, environments := range [][]pipeline.Environment{{"prod"}, two, {"1st", "eu-west", "prepare", "finish"}} {
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
		environments []pipeline.Environment
		want         string
		warning      bool
	}{
		"as shipped":      {environments: two},
		"one more":        {environments: []pipeline.Environment{"staging", "qa", "production"}, want: `no job deploys to "qa"`},
		"one less":        {environments: two[:1], want: `job "target-production" deploys to "production", which metapipe.yml does not name`},
		"other order":     {environments: []pipeline.Environment{"production", "staging"}, want: "promote through staging → production, and metapipe.yml through production → staging"},
		"does not wait":   {change: edit("needs: [prepare, target-staging]", "needs: prepare"), environments: two, want: "would not wait for staging"},
		"without prepare": {change: edit("needs: [prepare]", "needs: []"), environments: two, want: "does not need the job prepare"},
		"twice":           {change: edit(`environment: "production"`, `environment: "staging"`), environments: two, want: "a second time"},
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
