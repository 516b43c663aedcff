package tool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func noInstall(context.Context, string, version.Constraints, string) error {
	return errors.New("no network")
}

func newFinder(t *testing.T, change ...func(*Finder)) Finder {
	t.Helper()
	f := Finder{CacheDir: t.TempDir(), Install: noInstall}
	for _, c := range change {
		c(&f)
	}
	return f
}

func ignoreLog(string) {}

func withPath(dirs ...string) func(*Finder) {
	return func(f *Finder) {
		f.Environ = append(f.Environ, "PATH="+strings.Join(dirs, string(filepath.ListSeparator))+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
}

// onlyPath leaves the machine's own binaries out; scripts name their shell.
func onlyPath(dirs ...string) func(*Finder) {
	return func(f *Finder) {
		f.Environ = append(f.Environ, "PATH="+strings.Join(dirs, string(filepath.ListSeparator)))
	}
}

func TestLocateTakesTheFirstThatFits(t *testing.T) {
	t.Parallel()
	old, fits := t.TempDir(), t.TempDir()
	terraformtest.FakeBinary(t, filepath.Join(old, "terraform"), "1.5.7")
	want := terraformtest.FakeBinary(t, filepath.Join(fits, "terraform"), "1.11.9")
	finder := newFinder(t, withPath("relative", old, fits))
	tool, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "terraform", Constraint: "~> 1.11"}, ignoreLog)
	if err != nil || tool != (Binary{"terraform", want, "1.11.9"}) {
		t.Errorf("got %+v %v", tool, err)
	}
	tool, err = finder.Find(t.Context(), pipeline.ToolRule{Name: "terraform"}, ignoreLog)
	if err != nil || tool.Version != "1.5.7" {
		t.Errorf("without a constraint: %+v %v", tool, err)
	}
}

func TestLocateInCache(t *testing.T) {
	t.Parallel()
	finder := newFinder(t, onlyPath())
	tools := filepath.Join(finder.CacheDir, "tools")
	for _, v := range []string{"1.9.0", "1.11.2", "1.11.10", "2.0.0"} {
		terraformtest.FakeBinary(t, filepath.Join(tools, "tofu-"+v, "tofu"), v)
	}
	terraformtest.FakeBinary(t, filepath.Join(tools, "tofu-1.11.11", "tofu"), "1.2.3") // a liar
	terraformtest.WriteFile(t, filepath.Join(tools, "tofu-nonsense", "tofu"), "")
	tool, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "tofu", Constraint: "~> 1.11"}, ignoreLog)
	if err != nil || tool.Version != "1.11.10" {
		t.Errorf("got %+v %v", tool, err)
	}
}

func TestLocateInstalls(t *testing.T) {
	t.Parallel()
	finder := newFinder(t, onlyPath(), func(f *Finder) {
		f.Install = func(_ context.Context, name string, c version.Constraints, dir string) error {
			terraformtest.FakeBinary(t, filepath.Join(dir, name), "1.11.5")
			return nil
		}
	})
	rule := pipeline.ToolRule{Name: "terraform", Constraint: "~> 1.11"}
	tool, err := finder.Find(t.Context(), rule, ignoreLog)
	want := filepath.Join(finder.CacheDir, "tools", "terraform-1.11.5", "terraform")
	if err != nil || tool.Path != want {
		t.Fatalf("got %+v %v", tool, err)
	}
	finder.Install = noInstall
	if again, err := finder.Find(t.Context(), rule, ignoreLog); err != nil || again != tool {
		t.Errorf("the second time: %+v %v", again, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(want)), ".install-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestLocateNamesTheRemedies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	terraformtest.FakeBinary(t, filepath.Join(dir, "terraform"), "1.5.7")
	finder := newFinder(t, onlyPath(dir))
	for _, rule := range []pipeline.ToolRule{
		{Name: "terraform", Constraint: "~> 1.11"}, {Name: "tofu"}, {Name: "pulumi"}, {Name: "terraform", Constraint: "newest"},
	} {
		_, err := finder.Find(t.Context(), rule, ignoreLog)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || usage.Next == "" {
			t.Errorf("%+v: %v", rule, err)
		}
	}
	_, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "terraform", Constraint: "~> 1.11"}, ignoreLog)
	for _, part := range []string{`terraform "~> 1.11" is needed`, "is 1.5.7", "no network", "METAPIPE_TOOL", "tool.version", "install"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if first, _, _ := strings.Cut(err.Error(), "\n"); strings.Contains(first, "no network") {
		t.Errorf("the cause stands in the first line: %s", first)
	}
	log := &terraformtest.LogBuffer{}
	if _, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "tofu"}, redact.NewLog(log).Print); err == nil || log.String() != "tofu is not installed: downloading it\n" {
		t.Errorf("%v, log %q", err, log)
	}
}

func TestLocateGivenBinary(t *testing.T) {
	t.Parallel()
	path := terraformtest.FakeBinary(t, filepath.Join(t.TempDir(), "my-terraform"), "1.11.0")
	finder := newFinder(t, func(f *Finder) { f.BinaryPath = path })
	if tool, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "terraform"}, ignoreLog); err != nil || tool.Path != path {
		t.Errorf("got %+v %v", tool, err)
	}
	if _, err := finder.Find(t.Context(), pipeline.ToolRule{Name: "terraform", Constraint: "> 2"}, ignoreLog); err == nil {
		t.Error("took a version that does not fit")
	}
}

func TestLocateLooksThroughWrappers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"terraform", "tofu"} {
		variable := strings.ToUpper(name) + "_CLI_PATH"
		dir := t.TempDir()
		wrapper := filepath.Join(dir, name)
		terraformtest.WriteFile(t, wrapper, "#!/usr/bin/env node\nconst p = process.env."+variable+";\n")
		if err := os.Chmod(wrapper, 0o755); err != nil {
			t.Fatal(err)
		}
		rule := pipeline.ToolRule{Name: name}
		_, err := newFinder(t, onlyPath(dir)).Find(t.Context(), rule, ignoreLog)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Next, name+"_wrapper: false") {
			t.Errorf("without the real binary: %v", err)
		}
		elsewhere := t.TempDir()
		want := terraformtest.FakeBinary(t, filepath.Join(elsewhere, name+"-bin"), "1.11.0")
		named := newFinder(t, onlyPath(dir), func(f *Finder) { f.Environ = append(f.Environ, variable+"="+elsewhere) })
		if tool, err := named.Find(t.Context(), rule, ignoreLog); err != nil || tool.Path != want {
			t.Errorf("named by %s: %+v %v", variable, tool, err)
		}
		want = terraformtest.FakeBinary(t, wrapper+"-bin", "1.11.0")
		if tool, err := newFinder(t, onlyPath(dir)).Find(t.Context(), rule, ignoreLog); err != nil || tool.Path != want {
			t.Errorf("beside the wrapper: %+v %v", tool, err)
		}
	}
}
