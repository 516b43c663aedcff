package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// grace is how long the customer's job may still run when the manager's run has
// ended. It looks every ten seconds at the latest.
const grace = 30 * time.Second

// exchange is one event in the customer's repository and what came of it.
type exchange struct {
	run     *workflowRun
	trigger stepResult
	manager *managerRun // nil when nothing was sent
	overall hub.StatusRecord
}

// state compares the overall status of the commit.
func (x *exchange) state(want pipeline.StatusState) bool { return x.overall.State == string(want) }

// rejected is the target that a reviewer said no to, or empty.
func (x *exchange) rejected() string {
	if x.manager == nil {
		return ""
	}
	return x.manager.rejected
}

// exchange runs the customer's job and, as soon as it has sent a request, the
// manager's workflow beside it.
func (s *rehearsal) exchange(ctx context.Context, run *workflowRun, approve Approve) (*exchange, error) {
	x := &exchange{run: run}
	jobContext, stop := context.WithCancel(ctx)
	defer stop()
	triggered := make(chan error, 1)
	go func() {
		var err error
		x.trigger, err = s.triggerRun(jobContext, run)
		triggered <- err
	}()
	queueContext, leave := context.WithCancel(ctx)
	defer leave()
	queued := make(chan hub.Queued, 1)
	go func() {
		defer close(queued)
		if q, err := s.setup.hub.NextRun(queueContext); err == nil {
			queued <- q
		}
	}()
	var err error
	ended := false
	select {
	case err = <-triggered:
		ended = true
		leave() // what was queued until now is answered all the same
	case q, ok := <-queued:
		if ok {
			x.manager, err = s.receive(ctx, q, approve)
		}
		if x.manager == nil { // the customer would wait in vain
			stop()
		}
	}
	if ended {
		if q, ok := <-queued; ok {
			var answerErr error
			x.manager, answerErr = s.receive(ctx, q, approve)
			err = errors.Join(err, answerErr)
		}
	} else {
		err = errors.Join(err, s.awaitTrigger(triggered, stop))
	}
	return x, errors.Join(err, s.closeRun(x), ctx.Err())
}

// receive answers a request, which the inbox forwards where there is one. What it does not forward has no
// answer.
func (s *rehearsal) receive(ctx context.Context, q hub.Queued, approve Approve) (*managerRun, error) {
	if q.Repo != s.setup.inbox {
		return s.answer(ctx, q, approve)
	}
	if err := s.forward(ctx, q); err != nil {
		return nil, err
	}
	soon, leave := context.WithTimeout(ctx, time.Second) // the dispatch is there when its sender ends
	defer leave()
	forwarded, err := s.setup.hub.NextRun(soon)
	if err != nil {
		return nil, ctx.Err()
	}
	return s.answer(ctx, forwarded, approve)
}

// awaitTrigger gives the customer's job its time to notice the end, and
// interrupts it when it does not.
func (s *rehearsal) awaitTrigger(triggered <-chan error, stop func()) error {
	select {
	case err := <-triggered:
		return err
	case <-time.After(grace):
		stop()
		return <-triggered
	}
}

// closeRun notes what the end of the customer's run has left.
func (s *rehearsal) closeRun(x *exchange) (err error) {
	if x.trigger.event != nil {
		err = s.tellNews(x.trigger.event)
	}
	x.overall = overallOf(x.run.Repo.Snapshot().Statuses[x.run.Record.HeadSHA])
	return err
}

// overallOf finds the status of the whole request: the contexts of environments
// are longer.
func overallOf(statuses []hub.StatusRecord) hub.StatusRecord {
	var best hub.StatusRecord
	for _, st := range latest(statuses) {
		if strings.HasPrefix(st.Context, pipeline.Request{}.StatusContext(pipeline.Target{})) && (best.Context == "" || len(st.Context) < len(best.Context)) {
			best = st
		}
	}
	return best
}

// open begins a part of the story.
func (s *rehearsal) open(title, lead string) {
	s.part++
	s.began = s.opts.Now()
	s.title = title
	s.narrator.chapter(fmt.Sprintf("%d. %s", s.part, title), lead)
}

// conclude closes a part: did it end as a rehearsal expects?
func (s *rehearsal) conclude(expected string, ok bool, x *exchange) {
	got := x.overall.Description
	if got == "" {
		got = fmt.Sprintf("no status; trigger ended with exit code %d", x.trigger.exit)
	}
	if x.manager != nil && x.manager.ungated != "" {
		ok, got = false, x.manager.ungated
	}
	mark := story.Done
	if !ok {
		mark = story.Failed
	}
	s.narrator.close(mark)
	s.steps = append(s.steps, Step{Name: s.title, Expected: expected, Got: x.overall.State + ": " + got, OK: ok, Took: s.opts.Now().Sub(s.began)})
}

// breakOff closes a part that could not be played to its end.
func (s *rehearsal) breakOff(ctx context.Context, cause error) {
	got := clean(cause.Error())
	if ctx.Err() != nil {
		got = "stopped"
	}
	s.narrator.close(story.Stopped)
	s.steps = append(s.steps, Step{Name: s.title, Expected: "an end", Got: got, Took: s.opts.Now().Sub(s.began)})
}

// leaveOut says why a part is not played.
func (s *rehearsal) leaveOut(name, why string) {
	s.narrator.say(story.GitHub, story.Stopped, "no "+name, why)
	s.steps = append(s.steps, Step{Name: strings.ToUpper(name[:1]) + name[1:], Expected: "left out", Got: why, OK: true, LeftOut: true})
}

// outputsByEnvironment reads the output `outputs` of trigger as rows of
// environment, name and value.
func outputsByEnvironment(text string) [][]string {
	var all map[string]map[string]string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil
	}
	var rows [][]string
	for _, env := range slices.Sorted(maps.Keys(all)) {
		for _, name := range slices.Sorted(maps.Keys(all[env])) {
			rows = append(rows, []string{env, name, all[env][name]})
		}
	}
	return rows
}
