package stop

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// stopping is a way in which a runner stops a step.
type stopping struct {
	name    string
	signals []syscall.Signal
	exit    int // -1: killed
}

// GitHub's runner sends SIGINT, then SIGTERM, and then kills; a machine may be
// gone at once.
var stoppings = []stopping{
	{"SIGINT", []syscall.Signal{syscall.SIGINT}, 130},
	{"SIGTERM", []syscall.Signal{syscall.SIGTERM}, 130},
	{"SIGINT and SIGTERM twice", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM}, 130},
	{"SIGKILL", []syscall.Signal{syscall.SIGKILL}, -1},
}

// send sends the signals, with time between them to do their harm.
func (s stopping) send(t *testing.T, r *fixture.Running) {
	t.Helper()
	for i, signal := range s.signals {
		if i > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if err := r.Signal(signal); err != nil && (i == 0 || !errors.Is(err, os.ErrProcessDone)) {
			t.Fatal(err)
		}
	}
}

func TestStoppedPlan(t *testing.T) {
	t.Parallel()
	for _, s := range stoppings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			remote := newSlowRemote(t)
			run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nslow: " + remote.url + "\nenvironments:\n  staging: {}\n"})
			r := w.Accept(run)
			p := w.NewJob(r.Run).Start(r.Args("plan", "staging")...)
			remote.await(t) // the plan is in the middle of reading
			s.send(t, p)
			time.AfterFunc(300*time.Millisecond, remote.answer)
			end := p.Wait()
			if end.Exit != s.exit {
				t.Fatalf("exit code %d, want %d:\n%s", end.Exit, s.exit, end.Log)
			}
			if s.exit == 130 {
				end.Want(t, "outcome=cancelled")
			}
			awaitUnlocked(w, "shop/staging")
			if w.State("shop/staging") != "" {
				t.Error("the plan has written a state")
			}
			r.Report("--final", "--cancelled")
			w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "error: ")
			w.WantStatus(run.SHA, "infra/terraform-deploy", "error: ")
			w.WantNothingPending()
			r.Do(4, "apply", "staging").Want(t, "reason=not-planned")
			w.Recovers()
		})
	}
}

func TestStoppedApply(t *testing.T) {
	t.Parallel()
	for _, s := range stoppings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			dir := t.TempDir()
			begun, hold := filepath.Join(dir, "begun"), filepath.Join(dir, "hold")
			fixture.AppendTo(t, hold, "")
			command := "touch " + begun + "; while [ -e " + hold + " ]; do sleep 0.1; done"
			run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: '" + command + "'\nenvironments:\n  staging: {}\n"})
			r := w.Accept(run)
			planned := r.Planned("staging")
			p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
			fixture.AwaitFile(t, begun) // the first resource is made, the second is being made
			s.send(t, p)
			end := p.Wait()
			if end.Exit != s.exit {
				t.Fatalf("exit code %d, want %d:\n%s", end.Exit, s.exit, end.Log)
			}
			if s.exit == 130 {
				end.Want(t, "outcome=cancelled")
			} else { // the tool outlives metapipe, and ends its work in peace
				fixture.Check(t, os.Remove(hold))
			}
			awaitUnlocked(w, "shop/staging")
			if state := w.State("shop/staging"); !strings.Contains(state, "shop in staging") {
				t.Errorf("what was made is not in the state:\n%s", state)
			}
			report := r.Report("--final", "--cancelled")
			w.WantNothingPending()
			if s.exit == 130 && !strings.Contains(report.Summary, "terraform_data.first") {
				t.Errorf("the report does not tell what was made:\n%s", report.Summary)
			}
			if got := w.Statuses(run.SHA)["infra/terraform-deploy/staging"]; strings.HasPrefix(got, "success") {
				t.Errorf("a stopped apply is told as %q", got)
			}
			r.Do(4, "apply", "staging")
			w.Recovers()
		})
	}
}

// slowRemote is a state server whose answer waits until answer is called.
type slowRemote struct {
	url    string
	answer func()
	begun  chan struct{}
}

func newSlowRemote(t *testing.T) *slowRemote {
	t.Helper()
	answered := make(chan struct{})
	r := &slowRemote{begun: make(chan struct{}, 16), answer: sync.OnceFunc(func() { close(answered) })}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.begun <- struct{}{}
		<-answered
		w.WriteHeader(http.StatusNotFound)
	}))
	r.url = server.URL
	t.Cleanup(func() {
		r.answer()
		server.Close()
	})
	return r
}

func (r *slowRemote) await(t *testing.T) {
	t.Helper()
	select {
	case <-r.begun:
	case <-time.After(time.Minute):
		t.Fatal("the plan does not read the remote state")
	}
}

// awaitUnlocked waits until no one holds the lock of a state: the tool may
// outlive metapipe for a moment.
func awaitUnlocked(w *fixture.Setup, target string) {
	w.T.Helper()
	lock := filepath.Join(filepath.Dir(w.StateFile(target)), ".terraform.tfstate.lock.info")
	fixture.Await(w.T, "the lock of "+target+" to be released", func() bool {
		_, err := os.Stat(lock)
		return os.IsNotExist(err)
	})
}
