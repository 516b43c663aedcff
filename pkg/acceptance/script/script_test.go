package script

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

var update = flag.Bool("update", false, "write golden files and the expectations of the scripts anew")

// TestScripts runs testdata/e2e: each script is one thing that a user does, with
// the real binary and the real terraform.
func TestScripts(t *testing.T) {
	t.Parallel()
	root := fixture.Root(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(root, "testdata", "e2e"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               func(e *testscript.Env) error { return setup(e, root) },
		Condition: func(name string) (bool, error) {
			if tool, ok := strings.CutPrefix(name, "tool:"); ok {
				_, err := exec.LookPath(tool)
				return err == nil, nil
			}
			if name == "full-disk" {
				return fixture.CanMount(), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: scriptCommands,
	})
}

// setup gives each script a home of its own, and the tools' cache of the user:
// the version of a binary is asked once for all of them.
func setup(e *testscript.Env, root string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	programs, err := fixture.WithDetector()
	if err != nil {
		return err
	}
	e.Setenv("PATH", programs+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("GORACE", os.Getenv("GORACE"))
	home := filepath.Join(e.WorkDir, "home")
	e.Setenv("HOME", home)
	e.Setenv("XDG_CACHE_HOME", cache)
	e.Setenv("ROOT", root)
	e.Setenv("EXAMPLES", filepath.Join(root, "examples"))
	e.Setenv("CHECKPOINT_DISABLE", "1")
	e.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, ".gitconfig"))
	e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[user]\n\tname = Test\n\temail = test@example.invalid\n[init]\n\tdefaultBranch = main\n[safe]\n\tdirectory = *\n"), 0o600)
}

// repeat FILE BYTES TEXT writes TEXT again and again until FILE has BYTES bytes.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat file bytes text")
	}
	var size int
	_, err := fmt.Sscan(args[1], &size)
	ts.Check(err)
	text := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte(text), size/len(text)+1)[:size], 0o600))
}

// copy-tree FROM TO copies a directory.
func copyTree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: copy-tree from to")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}
