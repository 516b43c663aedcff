package main

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

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// interrupts are the signals that end a command early.
var interrupts = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

const runRoute = "/repos/{owner}/{repo}/actions/runs/{run_id}"

// stop sends a signal and waits for the end, which has to come within ten seconds and
// to leave none of the processes that the step had started.
func (r *running) stop(signal syscall.Signal) result {
	t := r.j.w.t
	t.Helper()
	tools := children(r.cmd.Process.Pid)
	begun := time.Now()
	check(t, r.cmd.Process.Signal(signal))
	end := r.wait()
	if end.exit != 130 || time.Since(begun) > 10*time.Second {
		t.Fatalf("%s ended with exit code %d after %s:\n%s", r.command, end.exit, time.Since(begun), end.log)
	}
	await(t, "the tool to be gone", func() bool { return !slices.ContainsFunc(tools, lives) })
	return end
}

// asksForRun waits until GitHub is asked for a run, which it lets wait.
func (w *world) asksForRun() {
	w.t.Helper()
	await(w.t, "the question about the run", func() bool {
		for _, c := range w.hub.Calls() {
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
		w := newWorld(t, nil)
		begun := filepath.Join(t.TempDir(), "begun")
		r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
		planned := r.planned("staging")
		p := w.newJob(r.run).start(r.args("apply", "staging", "--receipt", planned.outputs["receipt"])...)
		awaitFile(t, begun)
		note := filepath.Join(filepath.Dir(w.stateFile("shop/staging")), ".terraform.tfstate.lock.info")
		awaitWritten(t, note)
		check(t, p.cmd.Process.Kill())
		p.wait()
		killTool(t, begun)
		check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
		locked := readOptional(t, note)
		id := regexp.MustCompile(`"ID":"([^"]+)"`).FindStringSubmatch(locked)
		if id == nil {
			t.Fatalf("the state is not locked: %q", locked)
		}
		unlock := []string{"unlock", "--customer", "shop", "--environment", "staging", "--lock-id", id[1]}
		w.hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: runRoute}, hubtest.Fault{Delay: 30 * time.Second}, 1)
		w.hub.ResetCalls()
		later := w.sweepJob(r).start(unlock...)
		w.asksForRun()
		later.stop(signal)
		if readOptional(t, note) != locked {
			t.Error("a stopped unlock has touched the lock")
		}
		w.sweepJob(r).do(0, unlock...).says(t, "the lock of shop/staging is released")
	})
}

// TestStoppedSweep stops a sweep while it asks for a run: nothing is repaired, and the
// next sweep does it.
func TestStoppedSweep(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := newWorld(t, nil)
		r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
		r.planned("staging")
		check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
		w.hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: runRoute}, hubtest.Fault{Delay: 30 * time.Second}, 1)
		w.hub.ResetCalls()
		p := w.sweepJob(r).start("sweep", "--fix")
		w.asksForRun()
		p.stop(signal)
		if writes := w.writes(); len(writes) != 0 {
			t.Errorf("a stopped sweep wrote: %v", writes)
		}
		w.sweepJob(r).do(0, "sweep", "--fix").says(t, "unfinished: its run is over (failure)", "; repaired")
		w.wantNothingPending()
	})
}

// TestStoppedStateRecover stops a recovery while the tool writes the state: the tool
// ends, the kept state stays, and the next recovery brings it back.
func TestStoppedStateRecover(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := newWorld(t, nil)
		r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
		r.planned("staging")
		r.do(0, "apply", "staging")
		backup := filepath.Join(w.store, "shop", "staging", "terraform.tfstate.backup")
		check(t, os.RemoveAll(backup))
		check(t, os.MkdirAll(filepath.Join(backup, "x"), 0o700)) // keeps the tool from writing
		r = w.accept(w.push("main", map[string]string{"infra/variables.yml": strings.Replace(variablesYML, "name: shop", "name: two", 1)}))
		r.planned("staging")
		r.do(1, "apply", "staging")
		check(t, os.RemoveAll(backup))

		before := w.state("shop/staging")
		dir := t.TempDir()
		tool, begun := filepath.Join(dir, "terraform"), filepath.Join(dir, "begun")
		script := "#!/bin/sh\ncase \" $* \" in *' push '*) touch '" + begun + "'; exec sleep 300;; esac\nexec '" + must(exec.LookPath("terraform"))(t) + "' \"$@\"\n"
		check(t, os.WriteFile(tool, []byte(script), 0o700))
		again := []string{"state", "recover", "--customer", "shop", "--environment", "staging", "--request", r.id}
		p := w.newJob(r.run).with("METAPIPE_TOOL=" + tool).start(again...)
		awaitFile(t, begun)
		p.stop(signal)
		if w.state("shop/staging") != before {
			t.Error("a stopped recovery has changed the state")
		}
		w.awaitUnlocked("shop/staging")
		w.newJob(r.run).do(0, "state", "show", "--customer", "shop", "--environment", "staging").says(t, strings.Join(again, " "))
		w.newJob(r.run).do(0, again...).says(t, "the state of shop/staging is in "+filepath.Join(w.store, "shop"))
		if w.state("shop/staging") == before {
			t.Error("the state was not brought back")
		}
	})
}

// TestStoppedDrift stops a scan while the tool plans its second target: what the first
// one gave is kept, and the scan goes on from there.
func TestStoppedDrift(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := newWorld(t, map[string]string{
			"customers/shop.yml": "repository: acme/shop\nrepository_id: 4711\npath: infra/fast\n",
			"customers/slow.yml": "repository: acme/shop\nrepository_id: 4711\npath: infra/slow\n",
		})
		remote := newSlowRemote(t)
		w.commit(w.customer, "main", map[string]string{
			"infra/fast/variables.yml": "name: fast\nenvironments:\n  staging: {}\n",
			"infra/slow/variables.yml": "name: slow\nslow: " + remote.url + "\nenvironments:\n  staging: {}\n",
		})
		id := w.driftJob().do(0, "drift", "list", "--shards", "1", "--environment", "staging").outputs["scan"]
		p := w.driftJob().start("drift", "--scan", id, "--workers", "2")
		remote.await(t)
		await(t, "the first result", func() bool { return w.results(id) == 1 })
		time.AfterFunc(300*time.Millisecond, remote.answer) // the tool ends its read first
		p.stop(signal)
		if kept := w.results(id); kept != 1 {
			t.Errorf("%d results are kept, want that of the first target", kept)
		}
		// The answer is that there is no such state, an error of that target alone.
		scan := scanOf(t, w.driftJob().do(6, "drift", "--resume", "--json"))
		if len(scan.Results) != 2 || len(scan.Missing) != 0 || scan.ID != id {
			t.Errorf("the resumed scan %s of %s: %+v, missing %v", scan.ID, id, scan.Results, scan.Missing)
		}
	})
}

// TestStoppedValidate stops validate while nobody reads what it says.
func TestStoppedValidate(t *testing.T) {
	t.Parallel()
	eachInterrupt(t, func(t *testing.T, signal syscall.Signal) {
		w := newWorld(t, nil)
		j := w.newJob(w.push("main", map[string]string{"README.md": "x\n"}))
		dir := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(dir, "customers"), 0o700))
		check(t, os.WriteFile(filepath.Join(dir, "metapipe.yml"), []byte(managerFiles["metapipe.yml"]), 0o600))
		for i := range 600 { // more than a pipe holds
			check(t, os.WriteFile(filepath.Join(dir, "customers", fmt.Sprintf("c%d.yml", i)), []byte("nonsense: "+strings.Repeat("x", 200)+"\n"), 0o600))
		}
		cmd := exec.Command(must(exec.LookPath(j.binary))(t), "validate", "--manager-dir", dir)
		cmd.Env, cmd.Dir = j.environ, dir
		out := must(cmd.StdoutPipe())(t)
		check(t, cmd.Start())
		output := bufio.NewReader(out)
		must(output.ReadString('\n'))(t)
		check(t, cmd.Process.Signal(signal))
		must(io.Copy(io.Discard, output))(t)
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("validate: %v", err)
		}
	})
}
