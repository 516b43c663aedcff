//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUnlock kills an apply together with its tool. What is left of the lock goes
// only when GitHub says that the run is over.
func TestUnlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"})
	r := w.accept(run)
	planned := r.planned("staging")
	p := w.newJob(r.run).start(r.args("apply", "staging", "--receipt", planned.outputs["receipt"])...)
	awaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := r.lockID(target)
	unlock := append([]string{"unlock", "--lock-id", id}, target...)
	w.newJob(r.run).do(4, unlock...).says(t, "is younger than")
	note := filepath.Join(filepath.Dir(w.stateFile("shop/staging")), ".terraform.tfstate.lock.info")
	awaitWritten(t, note)
	// The tool lives: its run goes on, and after that its own file lock says so.
	later := func() *job {
		j := w.newJob(r.run)
		j.binary = "metapipe-later"
		return j
	}
	later().do(4, append(unlock, "--no-run")...).says(t, "holds the lock")
	check(t, p.cmd.Process.Kill())
	p.wait()
	killTool(t, begun)
	later().do(4, unlock...)
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	later().do(0, unlock...).says(t, "the lock of shop/staging is released")
	later().do(0, unlock...).says(t, "is not locked")
	w.newJob(r.run).do(0, append([]string{"state", "show"}, target...)...).says(t, "free")
}

// lockID is the id of the lock on a target.
func (r *request) lockID(target []string) string {
	r.w.t.Helper()
	shown := r.w.newJob(r.run).do(0, append([]string{"state", "show", "--json"}, target...)...).log
	id := regexp.MustCompile(`"id": "([^"]+)"`).FindStringSubmatch(shown)
	if id == nil {
		r.w.t.Fatal("the state is not locked")
	}
	return id[1]
}

// awaitWritten waits for the note about the lock to be whole.
func awaitWritten(t *testing.T, note string) {
	t.Helper()
	await(t, note+" to be written", func() bool {
		info, err := os.Stat(note)
		return err == nil && info.Size() > 0
	})
}

func parsePID(s string) (int, error) { return strconv.Atoi(strings.TrimSpace(s)) }

// killTool ends the group of the tool whose process a provisioner has named.
func killTool(t *testing.T, file string) {
	t.Helper()
	pid := must(parsePID(readOptional(t, file)))(t)
	group := must(syscall.Getpgid(pid))(t)
	if group == syscall.Getpgrp() {
		t.Fatal("the tool has no group of its own")
	}
	check(t, syscall.Kill(-group, syscall.SIGKILL))
	await(t, "the tool to be gone", func() bool { return syscall.Kill(pid, 0) != nil })
	time.Sleep(50 * time.Millisecond)
}
