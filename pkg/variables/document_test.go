package variables_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

const small = `# a comment
project: shop
environments:
  staging: {region: eu-west-1, size: 2}
  production:
    region:
      us-west-2
size: 1
list:
  - a
  - b: c
empty:
`

func parse(t *testing.T, text string) *variables.Document {
	t.Helper()
	doc, problems := variables.Parse("v.yml", []byte(text), pipeline.Limits{}, nil)
	if doc == nil {
		t.Fatal(problems)
	}
	return doc
}

func TestLocate(t *testing.T) {
	t.Parallel()
	doc := parse(t, small)
	for path, want := range map[string]string{
		"":                                  "v.yml:2:1 true",
		"project":                           "v.yml:2:10 true",
		"environments":                      "v.yml:3:1 true",
		"environments/staging":              "v.yml:4:3 true",
		"environments/staging/size":         "v.yml:4:38 true",
		"environments/production/region":    "v.yml:6:5 true",
		"environments/production/size":      "v.yml:5:3 false",
		"environments/production/size/a":    "v.yml:5:3 false",
		"environments/test/region":          "v.yml:3:1 false",
		"database":                          "v.yml:2:1 false",
		"list/0":                            "v.yml:10:5 true",
		"list/1/b":                          "v.yml:11:8 true",
		"list/2":                            "v.yml:9:1 false",
		"list/-1":                           "v.yml:9:1 false",
		"list/x":                            "v.yml:9:1 false",
		"project/0":                         "v.yml:2:10 false",
		"empty":                             "v.yml:12:1 true",
		"empty/deeper":                      "v.yml:12:1 false",
		"environments/production/region/us": "v.yml:6:5 false",
	} {
		var steps []string
		if path != "" {
			steps = strings.Split(path, "/")
		}
		pos, exact := doc.Locate(steps...)
		if got := fmt.Sprint(pos, " ", exact); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	doc := parse(t, small)
	effective, err := doc.Effective("staging")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for key, value := range effective.Values {
		got[key] = string(value)
	}
	want := map[string]string{
		"project": `"shop"`, "region": `"eu-west-1"`, "size": "2", "list": `["a",{"b":"c"}]`, "empty": "null",
		"environments": `{"staging":{"region":"eu-west-1","size":2},"production":{"region":"us-west-2"}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, env := range []pipeline.Environment{"test", "", "../x"} {
		if _, err := doc.Effective(env); err == nil {
			t.Errorf("environment %q was accepted", env)
		}
	}
}

func TestEnvironmentsAreInFileOrder(t *testing.T) {
	t.Parallel()
	doc := parse(t, small)
	want := []pipeline.DeclaredEnvironment{
		{Name: "staging", Position: pipeline.Position{File: "v.yml", Line: 4, Column: 3}},
		{Name: "production", Position: pipeline.Position{File: "v.yml", Line: 5, Column: 3}},
	}
	if diff := cmp.Diff(want, doc.Environments()); diff != "" {
		t.Error(diff)
	}
	doc.Environments()[0].Name = "changed"
	if doc.Environments()[0].Name != "staging" {
		t.Error("the document can be changed from outside")
	}
}

// TestBlobSHA compares with `printf 'hello\n' | git hash-object --stdin`.
func TestBlobSHA(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pipeline.SHA{
		"":        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
		"hello\n": "ce013625030ba8dba906f756967f9e9ca394464a",
	} {
		if got := variables.BlobSHA([]byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestHostileSizesAreCheap gives texts that are built to cost time or memory.
func TestHostileSizesAreCheap(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := byte('b'); i <= 'z'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", i-1), 9), ","))
	}
	for name, text := range map[string]string{
		"50 MB":       strings.Repeat("a: 1\n", 10*mib),
		"alias bomb":  bomb,
		"brackets":    "a: " + strings.Repeat("[", mib-10),
		"braces":      "a: " + strings.Repeat("{a: ", mib/5),
		"dashes":      strings.Repeat("- ", mib/2-10),
		"questions":   strings.Repeat("? ", mib/2-10),
		"colons":      strings.Repeat(": ", mib/2-10),
		"comments":    strings.Repeat("#\n", mib/2-10),
		"keys":        strings.Repeat("a: b\n", mib/6),
		"quotes":      "a: " + strings.Repeat(`'`, mib-10),
		"escapes":     `a: "` + strings.Repeat(`\x41`, mib/5) + `"`,
		"placeholder": "environments: {s: {}}\na: \"" + strings.Repeat("{", mib-60) + `"`,
		"one line":    "environments: {s: {}}\na: " + strings.Repeat("x", mib-60),
		"bad indent":  "environments: {s: {}}\n" + strings.Repeat("a: b\n", 10_000) + " c: d\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			doc, problems := variables.Parse("v.yml", []byte(text), pipeline.Limits{VariablesBytes: mib}, nil)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if (doc == nil) != (problems.Err() != nil) || len(problems) > 100 {
				t.Errorf("document %v, %d problems", doc != nil, len(problems))
			}
		})
	}
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(outside, "secret.yml"), []byte(small), 0o600))
	must(os.MkdirAll(filepath.Join(dir, "infra", "folder.yml"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "infra", "good.yml"), []byte(small), 0o600))
	must(os.WriteFile(filepath.Join(dir, "infra", "large.yml"), []byte(strings.Repeat("#", 300<<10)), 0o600))
	must(os.Symlink("good.yml", filepath.Join(dir, "infra", "link.yml")))
	must(os.Symlink(outside, filepath.Join(dir, "out")))
	for file, rule := range map[string]string{
		"infra/good.yml": "", "infra/none.yml": variables.RuleMissingFile, "infra/folder.yml": variables.RuleNotFile,
		"infra/link.yml": variables.RuleNotFile, "infra/large.yml": "too-large", "out/secret.yml": variables.RuleUnreadable,
		"../x/secret.yml": variables.RuleUnreadable, "nowhere/none.yml": variables.RuleMissingFile,
	} {
		doc, raw, problems := variables.LoadFile(dir, file, pipeline.Limits{}, nil)
		switch {
		case rule == "" && (doc == nil || string(raw) != small):
			t.Errorf("%s: %v", file, problems)
		case rule != "" && (doc != nil || len(problems) != 1 || problems[0].Rule != rule || problems[0].File != file):
			t.Errorf("%s: want %s, got %v", file, rule, problems)
		}
	}
}

func TestOtherEnding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "variables.yaml"), []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := variables.ReadFile(dir, "variables.yml", pipeline.Limits{}, nil, nil)
	if len(problems) != 1 || problems[0].Remedy != "rename variables.yaml to variables.yml" {
		t.Errorf("got %v", problems)
	}
}

func TestOutlineOfAFileWithProblems(t *testing.T) {
	t.Parallel()
	limits := pipeline.Limits{}
	d := variables.Outline("infra/variables.yml", []byte("a: 1\na: 2\nenvironments:\n  qa: {}\n"), limits)
	if d == nil || len(d.Environments()) != 1 || d.Environments()[0].Name != "qa" || d.Environments()[0].Position.String() != "infra/variables.yml:4:3" {
		t.Errorf("got %+v", d)
	}
	for _, text := range []string{"", "a: [", "\tb", "- 1"} {
		if d := variables.Outline("f", []byte(text), limits); d != nil && len(d.Environments()) != 0 {
			t.Errorf("%q: got %+v", text, d)
		}
	}
}
