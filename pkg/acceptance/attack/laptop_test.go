package attack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// checkout makes the attacker's repository as an operator gets it, with its
// customer/ files committed and its own configuration: checkout [NAME=VALUE ...].
// %PROGRAM% in a value is a program that leaves a trace.
func (a *attempt) checkout(settings []string) {
	a.T.Helper()
	a.laptop = a.T.TempDir()
	fixture.Check(a.T, os.MkdirAll(a.Store, 0o700)) // nothing comes that far here
	dir := filepath.Join(a.laptop, "shop")
	fixture.Check(a.T, os.Mkdir(dir, 0o700))
	program := filepath.Join(a.laptop, "program")
	fixture.Check(a.T, os.WriteFile(program, []byte("#!/bin/sh\nenv >>"+filepath.Join(a.laptop, "ran")+"\n"), 0o700))
	files := a.set("customer")
	if len(files) == 0 {
		files["infra/variables.yml"] = fixture.VariablesYML
	}
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		fixture.Check(a.T, os.MkdirAll(filepath.Dir(at), 0o700))
		fixture.Check(a.T, os.WriteFile(at, []byte(text), 0o600))
	}
	a.values["CHECKOUT"] = dir
	a.gits("init", "-q")
	a.gits("add", "-A")
	a.gits("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "x")
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		a.gits("config", name, strings.ReplaceAll(value, "%PROGRAM%", program))
	}
}

func (a *attempt) gits(args ...string) string {
	a.T.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = a.values["CHECKOUT"], append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.T.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// loseObject removes the object of a committed file from the checkout, as in a
// partial clone: lose-object PATH.
func (a *attempt) loseObject(args []string) {
	a.T.Helper()
	blob := a.gits("rev-parse", "HEAD:"+args[0])
	fixture.Check(a.T, os.Remove(filepath.Join(a.values["CHECKOUT"], ".git", "objects", blob[:2], blob[2:])))
}

// embed puts a repository of its own, with a configuration, among the files below
// a folder, and makes that folder the customer's checkout: embed FOLDER NAME=VALUE ...
func (a *attempt) embed(args []string) {
	a.T.Helper()
	top := a.values["CHECKOUT"]
	a.values["CHECKOUT"] = filepath.Join(top, args[0])
	fixture.Check(a.T, os.MkdirAll(a.values["CHECKOUT"], 0o700))
	a.gits("init", "-q", "--bare", ".")
	a.gits("config", "core.bare", "false")
	a.gits("config", "core.worktree", a.values["CHECKOUT"])
	for _, setting := range args[1:] {
		name, value, _ := strings.Cut(setting, "=")
		a.gits("config", name, strings.ReplaceAll(value, "%PROGRAM%", filepath.Join(a.laptop, "program")))
	}
}

// ranNothing rehearses with the checkout in the operator's environment, up to
// the point where results would be written, and looks for the program's trace.
func (a *attempt) ranNothing([]string) {
	a.T.Helper()
	blocked := filepath.Join(a.laptop, "blocked")
	fixture.Check(a.T, os.WriteFile(blocked, nil, 0o600))
	cmd := exec.Command(fixture.Must(exec.LookPath("metapipe"))(a.T), "rehearse", "--manager-dir", filepath.Join(a.laptop, "manager"), "--customer-dir", a.values["CHECKOUT"], "--approve", "yes", "--out", filepath.Join(blocked, "results"))
	fixture.Check(a.T, a.Manager.Checkout(fixture.Must(a.Manager.Head("main"))(a.T), filepath.Join(a.laptop, "manager")))
	cmd.Env = append(os.Environ(), "AWS_SECRET_ACCESS_KEY=of-the-operator", "METAPIPE_TOOL="+fixture.Must(exec.LookPath("terraform"))(a.T))
	out, err := cmd.CombinedOutput()
	if err == nil {
		a.T.Errorf("the rehearsal wrote its results somewhere:\n%s", out)
	}
	if environ, err := os.ReadFile(filepath.Join(a.laptop, "ran")); err == nil {
		a.T.Errorf("a program of the checkout ran:\n%s", environ)
	}
	a.verdicts++
}
