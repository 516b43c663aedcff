package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBad loads every tree of testdata/bad and compares its problems with the
// golden file beside it. It loads each one several times: a loop over a map that
// adds problems of one place would show in another order now and then.
func TestBad(t *testing.T) {
	t.Parallel()
	for _, archive := range list(t, "testdata/bad/*.txtar") {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			dir := extract(t, archive)
			_, problems := Load(dir)
			if len(problems) == 0 {
				t.Error("no problem was found")
			}
			for range 8 {
				if _, again := Load(dir); again.Error() != problems.Error() {
					t.Fatalf("loaded again, the problems are\n%v\nand were\n%v", again.Error(), problems.Error())
				}
			}
			golden(t, strings.TrimSuffix(archive, ".txtar")+".golden", problems.Error()+"\n")
		})
	}
}

// TestGood loads every tree of testdata/good, which must be free of problems,
// and compares the values with the golden file beside it.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, archive := range list(t, "testdata/good/*.txtar") {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			config, problems := Load(extract(t, archive))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			text, err := json.MarshalIndent(config, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(archive, ".txtar")+".golden", string(text)+"\n")
		})
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	config, problems := Load("../../examples/manager")
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	customer, ok := config.Customer("example-customer")
	if !ok || customer.RepositoryID != 100200300 || len(config.ByRepository(100200300)) != 1 {
		t.Fatalf("customers: %+v", config.Customers)
	}
	if rule, _ := customer.Manager.Rule("production"); !rule.Gated {
		t.Error("production has no gate")
	}
}

func TestLinksOutOfTheManagerAreRefused(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, filepath.Join(outside, "main.tf"), "")
	write(t, filepath.Join(outside, "schema.json"), "{}")
	write(t, filepath.Join(outside, "x.yml"), "repository: a/b\nrepository_id: 1\n")
	dir := t.TempDir()
	write(t, filepath.Join(dir, ManagerFile), "environments: [{name: staging}]\nschema: schema.json\nstate: {directory: state}\n")
	write(t, filepath.Join(dir, CustomersDir, "a.yml"), "repository: a/b\nrepository_id: 1\n")
	for name, target := range map[string]string{
		"schema.json": filepath.Join(outside, "schema.json"), "terraform": outside, "state": outside,
		"customers/b.yml": filepath.Join(outside, "x.yml"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, problems := Load(dir)
	got := make(map[string]string)
	for _, p := range problems {
		got[p.Position.String()] = p.Rule
	}
	want := map[string]string{
		"metapipe.yml:2:9": RuleMissingPath, "metapipe.yml:3:20": RulePath,
		"customers/a.yml:1:1": RuleMissingPath, "customers/b.yml": RuleStrayFile,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%v", diff, problems)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	config, problems := Load(t.TempDir())
	if !IsMissing(problems) {
		t.Errorf("not told apart: %v", problems)
	}
	if diff := cmp.Diff(Default(), config.Manager); diff != "" {
		t.Error(diff)
	}
	_, problems = Load(filepath.Join(t.TempDir(), "nowhere"))
	if problems.Err() == nil || IsMissing(problems) {
		t.Errorf("a directory that does not exist: %v", problems)
	}
}

func TestUnregistered(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]pipeline.CustomerName{
		"shop-platform": "shop-platform", "Shop_Platform.v2": "shop-platform-v2", "": "local", "…": "local", "--": "local",
		strings.Repeat("ab", 31) + "--x": pipeline.CustomerName(strings.Repeat("ab", 31)),
	} {
		c := Unregistered(Default(), t.TempDir(), label)
		if c.Name != want {
			t.Errorf("%q became %q, want %q", label, c.Name, want)
		}
		if _, err := pipeline.ParseCustomerName(string(c.Name)); err != nil {
			t.Error(err)
		}
		if _, err := pipeline.ParseSlug(c.Repository.String()); err != nil {
			t.Error(err)
		}
		if !c.Allows("production") {
			t.Error("may not use production")
		}
	}
}

// TestOverridesDoNotLeak holds that the stricter rules of one customer are not
// seen by another, nor by the manager.
func TestOverridesDoNotLeak(t *testing.T) {
	t.Parallel()
	config, problems := Load(extract(t, "testdata/good/stricter.txtar"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		manager pipeline.Manager
		gated   bool
	}{{config.Manager, false}, {config.Customers[0].Manager, true}, {config.Customers[1].Manager, false}} {
		if rule, ok := c.manager.Rule("staging"); !ok || rule.Gated != c.gated {
			t.Errorf("staging is %+v, want gated %v", rule, c.gated)
		}
	}
}

func list(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found
}

func extract(t testing.TB, archive string) string {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		write(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return dir
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		write(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (run with -update when the new text is right):\n%s", file, diff)
	}
}
