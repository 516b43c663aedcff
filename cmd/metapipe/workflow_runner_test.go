package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// Runner carries requests through the jobs of the workflows, as
// workflows/manager and workflows/customer have them: a step that fails ends its
// job but for the report, and a job that fails ends those that need it.
type Runner struct {
	*Setup
	ManagerClock, CustomerClock *clock
	// Step runs one step of a job.
	Step func(j *Job, args ...string) Result
	// told is what the last report of each request has shown.
	Mu    sync.Mutex
	shown map[string]string
	Log   strings.Builder

	// steps counts the steps that have begun; running is the one that runs, the
	// innermost one where a step runs while another one sleeps.
	steps   int
	Running StepName
	Lost    bool // the machine of the last step is gone, and its job with it

	Approver string // approves each apply; empty for none
}

// NewRunner runs the steps in this process.
func NewRunner(w *Setup) *Runner {
	c := &Runner{Setup: w, ManagerClock: &clock{}, CustomerClock: &clock{}, shown: map[string]string{}}
	c.Step = c.Inside
	return c
}

func (c *Runner) Inside(j *Job, args ...string) Result {
	at := c.ManagerClock
	if args[0] == "trigger" {
		at = c.CustomerClock
	}
	return j.Inside(context.Background(), at, args...)
}

func (c *Runner) Do(j *Job, args ...string) Result {
	c.Mu.Lock()
	c.steps++
	outer := c.Running
	c.Running = StepName{c.steps, args[0]}
	c.Mu.Unlock()
	r := c.Step(j, args...)
	c.Mu.Lock()
	defer c.Mu.Unlock()
	c.Running = outer
	fmt.Fprintf(&c.Log, "--- %s: exit code %d\n%s", strings.Join(args, " "), r.Exit, r.Log)
	return r
}

// StepName is one step of a request, by its number.
type StepName struct {
	Number  int
	Command string
}

func current(c *Runner) StepName {
	c.Mu.Lock()
	defer c.Mu.Unlock()
	return c.Running
}

// Prepared is a run of the manager behind its first job.
type Prepared struct {
	run WorkflowRun
	// customer and id are empty when fetch-vars accepted nothing.
	customer, ID string
	good         bool
	cancelled    bool
	environments []string
	applies      map[string]bool
}

// Ask runs the customer's workflow, and the first job of each run that it starts.
func (c *Runner) Ask(run WorkflowRun) (exit int, runs []*Prepared) {
	c.T.Helper()
	take := func() {
		for next, found := c.WaitingRun(); found; next, found = c.WaitingRun() {
			runs = append(runs, c.Prepare(next))
		}
	}
	c.CustomerClock.Asleep = take
	exit = c.Do(c.NewJob(run), "trigger").Exit
	c.CustomerClock.Asleep = nil
	take() // of a trigger that failed
	return exit, runs
}

func (c *Runner) Prepare(run WorkflowRun, flags ...string) *Prepared {
	j := c.NewJob(run)
	fetched := c.Do(j, append([]string{"fetch-vars"}, flags...)...)
	p := &Prepared{run: run, customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"], good: fetched.Exit == 0, cancelled: WasCancelled(fetched), applies: map[string]bool{}}
	var applies []string
	for name, into := range map[string]any{"environments": &p.environments, "applies": &applies} {
		if text := fetched.Outputs[name]; text != "" {
			Check(c.T, json.Unmarshal([]byte(text), into))
		}
	}
	for _, env := range applies {
		p.applies[env] = true
	}
	p.good = c.report(j, p) && p.good
	return p
}

// WasCancelled reports whether a step was cancelled.
func WasCancelled(r Result) bool { return r.Exit == 130 }

// report is the last step of each job, and reports whether it went well.
func (c *Runner) report(j *Job, p *Prepared, more ...string) bool {
	if c.Lost {
		c.Lost = false
		return false
	}
	r := c.Do(j, append([]string{"report", "--customer", p.customer, "--request", p.ID}, more...)...)
	p.cancelled = p.cancelled || WasCancelled(r)
	c.Mu.Lock()
	defer c.Mu.Unlock()
	if r.Summary != "" {
		c.shown[p.ID] = r.Summary
	}
	return r.Exit == 0
}

// target runs the two jobs of an environment.
func (c *Runner) target(p *Prepared, env string) (good bool) {
	args := func(command string) []string {
		return []string{command, "--customer", p.customer, "--request", p.ID, "--environment", env}
	}
	j := c.NewJob(p.run)
	planned := c.Do(j, args("plan")...)
	p.cancelled = p.cancelled || WasCancelled(planned)
	if good = c.report(j, p) && planned.Exit == 0; !good || !p.applies[env] || planned.Outputs["outcome"] != "waiting" {
		return good
	}
	if c.Approver != "" {
		Must(c.Setup.Manager.EnterEnvironment(p.run.Run.ID, "apply", env+"-apply"))(c.T)
		Check(c.T, c.Setup.Manager.Review(p.run.Run.ID, env+"-apply", c.Approver, true, ""))
	}
	j = c.NewJob(p.run)
	begins := c.Do(j, "report", "--customer", p.customer, "--request", p.ID, "--applying", env) // whatever comes of it, the apply follows
	if p.cancelled = p.cancelled || WasCancelled(begins); p.cancelled {
		c.report(j, p)
		return false
	}
	applied := c.Do(j, append(args("apply"), "--receipt", planned.Outputs["receipt"])...)
	p.cancelled = p.cancelled || WasCancelled(applied)
	return c.report(j, p) && applied.Exit == 0
}

// Finish carries a run from its first job to its end.
func (c *Runner) Finish(p *Prepared) (good bool) {
	good = p.good
	for _, env := range p.environments {
		if good {
			good = c.target(p, env)
		}
	}
	good = c.report(c.NewJob(p.run), p, "--final", fmt.Sprintf("--cancelled=%t", p.cancelled)) && good
	conclusion := "failure"
	switch {
	case p.cancelled:
		conclusion = "cancelled"
	case good:
		conclusion = "success"
	}
	Check(c.T, c.Setup.Manager.SetRun(p.run.Run.ID, "completed", conclusion))
	return good
}

// PlayAll carries the request of a customer's run from begin to end.
func (c *Runner) PlayAll(run WorkflowRun) (good bool, runs []*Prepared) {
	c.T.Helper()
	exit, runs := c.Ask(run)
	good = exit == 0
	for _, p := range runs {
		good = c.Finish(p) && good
	}
	Check(c.T, c.Setup.Customer.SetRun(run.Run.ID, "completed", "success"))
	return good, runs
}

// Sweep is the manager's schedule, days later.
func (c *Runner) Sweep(more ...string) Result {
	c.T.Helper()
	head := Must(c.Setup.Manager.Head("main"))(c.T)
	run := WorkflowRun{Repo: c.Setup.Manager, Event: []byte("{}"), SHA: head, Ref: "refs/heads/main"}
	run.Run.Event, run.Run.Path, run.Run.ID, run.Run.Attempt, run.Run.Actor = "schedule", ManagerWorkflow, 1, 1, "robin"
	return c.NewJob(run).Inside(context.Background(), &clock{ahead: LaterBy + time.Until(c.ManagerClock.now())}, append([]string{"sweep"}, more...)...)
}

// Ledger verifies the ledger of a target and returns its entries.
func (c *Runner) Ledger(env string) []ledger.Entry {
	c.T.Helper()
	head := Must(c.Setup.Manager.Head("main"))(c.T)
	run := WorkflowRun{Repo: c.Setup.Manager, Event: []byte("{}"), SHA: head, Ref: "refs/heads/main"}
	run.Run.Event, run.Run.Path, run.Run.ID, run.Run.Attempt, run.Run.Actor = "schedule", ManagerWorkflow, 1, 1, "robin"
	r := c.NewJob(run).Inside(context.Background(), c.ManagerClock, "ledger", "--customer", "shop", "--environment", env, "--verify", "--json")
	if r.Exit != 0 {
		c.T.Errorf("ledger --verify ends with exit code %d:\n%s", r.Exit, r.Log)
		return nil
	}
	_, list, found := strings.Cut(r.Log, "\n[")
	if !found {
		c.T.Fatalf("no ledger:\n%s", r.Log)
	}
	var printed []ledger.AuditReport
	Check(c.T, json.NewDecoder(strings.NewReader("["+list)).Decode(&printed))
	return printed[0].Entries
}
