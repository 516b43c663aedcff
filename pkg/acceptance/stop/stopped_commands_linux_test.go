package stop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// interrupts are the signals that end a command early.
var interrupts = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

const runRoute = "/repos/{owner}/{repo}/actions/runs/{run_id}"

// stop sends a signal and waits for the end, which has to come within ten seconds and
// to leave none of the processes that the step had started.
func stop(r *fixture.Running, signal syscall.Signal) fixture.Result {
	t := r.Job().W.T
	t.Helper()
	tools := fixture.Children(r.PID())
	begun := time.Now()
	fixture.Check(t, r.Signal(signal))
	end := r.Wait()
	if end.Exit != 130 || time.Since(begun) > 10*time.Second {
		t.Fatalf("%s ended with exit code %d after %s:\n%s", r.Command, end.Exit, time.Since(begun), end.Log)
	}
	fixture.Await(t, "the tool to be gone", func() bool { return !slices.ContainsFunc(tools, fixture.Alive) })
	return end
}

// asksForRun waits until GitHub is asked for a run, which it lets wait.
func asksForRun(w *fixture.Setup) {
	w.T.Helper()
	fixture.Await(w.T, "the question about the run", func() bool {
		for _, c := range w.Hub.Calls() {
			if c.Method == http.MethodGet && strings.Contains(c.Path, "/actions/runs/") {
				return true
			}
		}
		return false
	})
}

func eachInterrupt(t *testing.T, play func(t *testing.T, signal syscall.Signal)) {
	for _, signal := range interrupts {
		t.Run(fmt.Sprint(signal), func(t *testing.T) {
			t.Parallel()
			play(t, signal)
		})
	}
}

// TestStoppedUnlock stops an unlock while it asks for the run behind the lock: the
// lock stays, and the next unlock releases it.
func TestStoppedUnlock(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := fixture.New(t, nil)
		begun := filepath.Join(t.TempDir(), "begun")
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
		planned := r.Planned("staging")
		p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
		fixture.AwaitFile(t, begun)
		note := filepath.Join(filepath.Dir(w.StateFile("shop/staging")), ".terraform.tfstate.lock.info")
		fixture.AwaitWritten(t, note)
		fixture.Check(t, p.Kill())
		p.Wait()
		fixture.KillTool(t, begun)
		fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
		locked := fixture.ReadOptional(t, note)
		id := regexp.MustCompile(`"ID":"([^"]+)"`).FindStringSubmatch(locked)
		if id == nil {
			t.Fatalf("the state is not locked: %q", locked)
		}
		unlock := []string{"unlock", "--customer", "shop", "--environment", "staging", "--lock-id", id[1]}
		w.Hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: runRoute}, hubtest.Fault{Delay: 30 * time.Second}, 1)
		w.Hub.ResetCalls()
		later := w.SweepJob(r).Start(unlock...)
		asksForRun(w)
		stop(later, signal)
		if fixture.ReadOptional(t, note) != locked {
			t.Error("a stopped unlock has touched the lock")
		}
		w.SweepJob(r).Do(0, unlock...).Says(t, "the lock of shop/staging is released")
	})
}

// TestStoppedSweep stops a sweep while it asks for a run: nothing is repaired, and the
// next sweep does it.
func TestStoppedSweep(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := fixture.New(t, nil)
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
		r.Planned("staging")
		fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
		w.Hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: runRoute}, hubtest.Fault{Delay: 30 * time.Second}, 1)
		w.Hub.ResetCalls()
		p := w.SweepJob(r).Start("sweep", "--fix")
		asksForRun(w)
		stop(p, signal)
		if writes := w.Writes(); len(writes) != 0 {
			t.Errorf("a stopped sweep wrote: %v", writes)
		}
		w.SweepJob(r).Do(0, "sweep", "--fix").Says(t, "unfinished: its run is over (failure)", "; repaired")
		w.WantNothingPending()
	})
}

// TestStoppedStateRecover stops a recovery while the tool writes the state: the tool
// ends, the kept state stays, and the next recovery brings it back.
func TestStoppedStateRecover(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := fixture.New(t, nil)
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
		r.Planned("staging")
		r.Do(0, "apply", "staging")
		backup := filepath.Join(w.Store, "shop", "staging", "terraform.tfstate.backup")
		fixture.Check(t, os.RemoveAll(backup))
		fixture.Check(t, os.MkdirAll(filepath.Join(backup, "x"), 0o700)) // keeps the tool from writing
		r = w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "name: shop", "name: two", 1)}))
		r.Planned("staging")
		r.Do(1, "apply", "staging")
		fixture.Check(t, os.RemoveAll(backup))

		before := w.State("shop/staging")
		dir := t.TempDir()
		tool, begun := filepath.Join(dir, "terraform"), filepath.Join(dir, "begun")
		script := "#!/bin/sh\ncase \" $* \" in *' push '*) touch '" + begun + "'; exec sleep 300;; esac\nexec '" + fixture.Must(exec.LookPath("terraform"))(t) + "' \"$@\"\n"
		fixture.Check(t, os.WriteFile(tool, []byte(script), 0o700))
		again := []string{"state", "recover", "--customer", "shop", "--environment", "staging", "--request", r.ID}
		p := w.NewJob(r.Run).With("METAPIPE_TOOL=" + tool).Start(again...)
		fixture.AwaitFile(t, begun)
		stop(p, signal)
		if w.State("shop/staging") != before {
			t.Error("a stopped recovery has changed the state")
		}
		awaitUnlocked(w, "shop/staging")
		w.NewJob(r.Run).Do(0, "state", "show", "--customer", "shop", "--environment", "staging").Says(t, strings.Join(again, " "))
		w.NewJob(r.Run).Do(0, again...).Says(t, "the state of shop/staging is in "+filepath.Join(w.Store, "shop"))
		if w.State("shop/staging") == before {
			t.Error("the state was not brought back")
		}
	})
}

// TestStoppedDrift stops a scan while the tool plans its second target: what the first
// one gave is kept, and the scan goes on from there.
func TestStoppedDrift(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := fixture.New(t, map[string]string{
			"customers/shop.yml": "repository: acme/shop\nrepository_id: 4711\npath: infra/fast\n",
			"customers/slow.yml": "repository: acme/shop\nrepository_id: 4711\npath: infra/slow\n",
		})
		remote := newSlowRemote(t)
		w.Commit(w.Customer, "main", map[string]string{
			"infra/fast/variables.yml": "name: fast\nenvironments:\n  staging: {}\n",
			"infra/slow/variables.yml": "name: slow\nslow: " + remote.url + "\nenvironments:\n  staging: {}\n",
		})
		id := w.DriftJob().Do(0, "drift", "list", "--shards", "1", "--environment", "staging").Outputs["scan"]
		p := w.DriftJob().Start("drift", "--scan", id, "--workers", "2")
		remote.await(t)
		fixture.Await(t, "the first result", func() bool { return w.Results(id) == 1 })
		time.AfterFunc(300*time.Millisecond, remote.answer) // the tool ends its read first
		stop(p, signal)
		if kept := w.Results(id); kept != 1 {
			t.Errorf("%d results are kept, want that of the first target", kept)
		}
		// The answer is that there is no such state, an error of that target alone.
		scan := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--resume", "--json"))
		if len(scan.Results) != 2 || len(scan.Missing) != 0 || scan.ID != id {
			t.Errorf("the resumed scan %s of %s: %+v, missing %v", scan.ID, id, scan.Results, scan.Missing)
		}
	})
}

// TestStoppedValidate stops validate while no one reads what it says.
func TestStoppedValidate(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := fixture.New(t, nil)
		j := w.NewJob(w.Push("main", map[string]string{"README.md": "x\n"}))
		dir := t.TempDir()
		fixture.Check(t, os.MkdirAll(filepath.Join(dir, "customers"), 0o700))
		fixture.Check(t, os.WriteFile(filepath.Join(dir, "metapipe.yml"), []byte(fixture.ManagerFiles["metapipe.yml"]), 0o600))
		for i := range 600 { // more than a pipe holds
			fixture.Check(t, os.WriteFile(filepath.Join(dir, "customers", fmt.Sprintf("c%d.yml", i)), []byte("nonsense: "+strings.Repeat("x", 200)+"\n"), 0o600))
		}
		cmd := exec.Command(fixture.Must(exec.LookPath(j.Binary))(t), "validate", "--manager-dir", dir)
		cmd.Env, cmd.Dir = j.Environ(), dir
		out := fixture.Must(cmd.StdoutPipe())(t)
		fixture.Check(t, cmd.Start())
		output := bufio.NewReader(out)
		fixture.Must(output.ReadString('\n'))(t)
		fixture.Check(t, cmd.Process.Signal(signal))
		fixture.Must(io.Copy(io.Discard, output))(t)
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("validate: %v", err)
		}
	})
}
