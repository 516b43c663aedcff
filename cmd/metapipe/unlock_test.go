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
	w := New(t, nil)
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"})
	r := w.Accept(run)
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	AwaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := r.LockID(target)
	unlock := append([]string{"unlock", "--lock-id", id}, target...)
	w.NewJob(r.Run).Do(4, unlock...).Says(t, "is younger than")
	note := filepath.Join(filepath.Dir(w.StateFile("shop/staging")), ".terraform.tfstate.lock.info")
	AwaitWritten(t, note)
	// The tool lives: its run goes on, and after that its own file lock says so.
	later := func() *Job {
		j := w.NewJob(r.Run)
		j.Binary = "metapipe-later"
		return j
	}
	later().Do(4, append(unlock, "--no-run")...).Says(t, "holds the lock")
	Check(t, p.Cmd.Process.Kill())
	p.Wait()
	KillTool(t, begun)
	later().Do(4, unlock...)
	Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	later().Do(0, unlock...).Says(t, "the lock of shop/staging is released")
	later().Do(0, unlock...).Says(t, "is not locked")
	w.NewJob(r.Run).Do(0, append([]string{"state", "show"}, target...)...).Says(t, "free")
}

// LockID is the id of the lock on a target.
func (r *Request) LockID(target []string) string {
	r.W.T.Helper()
	shown := r.W.NewJob(r.Run).Do(0, append([]string{"state", "show", "--json"}, target...)...).Log
	id := regexp.MustCompile(`"id": "([^"]+)"`).FindStringSubmatch(shown)
	if id == nil {
		r.W.T.Fatal("the state is not locked")
	}
	return id[1]
}

// AwaitWritten waits for the note about the lock to be whole.
func AwaitWritten(t *testing.T, note string) {
	t.Helper()
	Await(t, note+" to be written", func() bool {
		info, err := os.Stat(note)
		return err == nil && info.Size() > 0
	})
}

func parsePID(s string) (int, error) { return strconv.Atoi(strings.TrimSpace(s)) }

// KillTool ends the group of the tool whose process a provisioner has named.
func KillTool(t *testing.T, file string) {
	t.Helper()
	pid := Must(parsePID(ReadOptional(t, file)))(t)
	group := Must(syscall.Getpgid(pid))(t)
	if group == syscall.Getpgrp() {
		t.Fatal("the tool has no group of its own")
	}
	Check(t, syscall.Kill(-group, syscall.SIGKILL))
	Await(t, "the tool to be gone", func() bool { return syscall.Kill(pid, 0) != nil })
	time.Sleep(50 * time.Millisecond)
}
