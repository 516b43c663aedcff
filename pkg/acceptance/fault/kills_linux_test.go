package fault

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// deaths are the ways in which a step ends in the middle of a write.
var deaths = []struct {
	name   string
	signal syscall.Signal
	fault  *hubtest.Fault // what becomes of the write
	tool   bool           // the machine is gone: the tool dies too, and the job does not report
}{
	{"SIGKILL before", syscall.SIGKILL, &hubtest.Fault{Reset: true}, false},
	{"SIGKILL after", syscall.SIGKILL, &hubtest.Fault{Reset: true, AfterEffect: true}, false},
	{"SIGINT", syscall.SIGINT, nil, false},
	{"SIGTERM", syscall.SIGTERM, nil, false},
	{"lost machine before", syscall.SIGKILL, &hubtest.Fault{Reset: true}, true},
	{"lost machine after", syscall.SIGKILL, &hubtest.Fault{Reset: true, AfterEffect: true}, true},
}

// TestFaultKills ends the process of each step at each of its writes.
func TestFaultKills(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	var m tally
	m.report(t)
	n := 0
	for _, at := range writesOf(t, server) {
		for _, death := range deaths {
			if death.tool && !fixture.OfTool(at.name) {
				continue // as SIGKILL, but for the report
			}
			n++
			bucket := fmt.Sprintf("kill-%d", n)
			m.run(t, at.String()+"/"+death.name, func(t *testing.T) {
				s := fixture.NewPushCase(t, server, bucket)
				tools := dies(s, at, death.signal, death.fault, death.tool)
				s.PlayAll(s.Run)
				s.Disarm(s.Hub)
				fixture.Await(t, "the tool to end", func() bool { return !slices.ContainsFunc(tools(), fixture.Alive) })
				s.WantNothingLost(s, s.Run.SHA, "first in staging")
				if death.signal == syscall.SIGKILL {
					s.WantRerun(s)
				}
			})
		}
	}
}

// dies lets the process of a step get a signal at one of its writes. The tools that
// it had started then may outlive it: they are returned.
func dies(s *fixture.PushCase, at writeAt, signal syscall.Signal, fault *hubtest.Fault, tool bool) (tools func() []int) {
	var (
		mu     sync.Mutex
		victim *fixture.Running
		seen   int
		pids   []int
	)
	s.Step = func(j *fixture.Job, args ...string) fixture.Result {
		if s.Current() != at.step {
			return s.Inside(j, args...)
		}
		mu.Lock()
		r := j.Start(args...)
		victim = r
		mu.Unlock()
		out := r.Wait()
		if tool {
			s.LoseMachine()
		}
		return out
	}
	s.Arm(s.Hub, fault, func(name string) bool {
		if s.Current() != at.step || name != at.name {
			return false
		}
		seen++
		return seen == at.nth
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		if victim == nil {
			s.T.Error("the write came before its process")
			return
		}
		pids = fixture.Children(victim.PID())
		if err := victim.Signal(signal); err != nil {
			s.T.Errorf("signal: %v", err)
		}
		for _, pid := range pids { // each leads a group of its own
			if !tool {
				break
			}
			if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
				s.T.Errorf("kill the tool: %v", err)
			}
		}
	})
	return func() []int {
		mu.Lock()
		defer mu.Unlock()
		return pids
	}
}
