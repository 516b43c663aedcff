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

// carrier carries requests through the jobs of the workflows, as
// workflows/manager and workflows/customer have them: a step that fails ends its
// job but for the report, and a job that fails ends those that need it.
type carrier struct {
	*world
	manager, customer *clock
	// step runs one step of a job.
	step func(j *job, args ...string) result
	// told is what the last report of each request has shown.
	mu   sync.Mutex
	told map[string]string
	log  strings.Builder

	// steps counts the steps that have begun; running is the one that runs, the
	// innermost one where a step runs while another one sleeps.
	steps   int
	running stepName
	lost    bool // the machine of the last step is gone, and its job with it

	approver string // approves each apply; empty for none
}

// newCarrier runs the steps in this process.
func newCarrier(w *world) *carrier {
	c := &carrier{world: w, manager: &clock{}, customer: &clock{}, told: map[string]string{}}
	c.step = c.inside
	return c
}

func (c *carrier) inside(j *job, args ...string) result {
	at := c.manager
	if args[0] == "trigger" {
		at = c.customer
	}
	return j.inside(context.Background(), at, args...)
}

func (c *carrier) do(j *job, args ...string) result {
	c.mu.Lock()
	c.steps++
	outer := c.running
	c.running = stepName{c.steps, args[0]}
	c.mu.Unlock()
	r := c.step(j, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = outer
	fmt.Fprintf(&c.log, "--- %s: exit code %d\n%s", strings.Join(args, " "), r.exit, r.log)
	return r
}

// stepName is one step of a request, by its number.
type stepName struct {
	number  int
	command string
}

func (c *carrier) current() stepName {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// prepared is a run of the manager behind its first job.
type prepared struct {
	run workflowRun
	// customer and id are empty when fetch-vars accepted nothing.
	customer, id string
	good         bool
	cancelled    bool
	environments []string
	applies      map[string]bool
}

// ask runs the customer's workflow, and the first job of each run that it starts.
func (c *carrier) ask(run workflowRun) (exit int, runs []*prepared) {
	c.t.Helper()
	take := func() {
		for next, found := c.waitingRun(); found; next, found = c.waitingRun() {
			runs = append(runs, c.prepare(next))
		}
	}
	c.customer.asleep = take
	exit = c.do(c.newJob(run), "trigger").exit
	c.customer.asleep = nil
	take() // of a trigger that failed
	return exit, runs
}

func (c *carrier) prepare(run workflowRun, flags ...string) *prepared {
	j := c.newJob(run)
	fetched := c.do(j, append([]string{"fetch-vars"}, flags...)...)
	p := &prepared{run: run, customer: fetched.outputs["customer"], id: fetched.outputs["request-id"], good: fetched.exit == 0, cancelled: stopped(fetched), applies: map[string]bool{}}
	var applies []string
	for name, into := range map[string]any{"environments": &p.environments, "applies": &applies} {
		if text := fetched.outputs[name]; text != "" {
			check(c.t, json.Unmarshal([]byte(text), into))
		}
	}
	for _, env := range applies {
		p.applies[env] = true
	}
	p.good = c.report(j, p) && p.good
	return p
}

// stopped reports whether a step was cancelled.
func stopped(r result) bool { return r.exit == 130 }

// report is the last step of each job, and reports whether it went well.
func (c *carrier) report(j *job, p *prepared, more ...string) bool {
	if c.lost {
		c.lost = false
		return false
	}
	r := c.do(j, append([]string{"report", "--customer", p.customer, "--request", p.id}, more...)...)
	p.cancelled = p.cancelled || stopped(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.summary != "" {
		c.told[p.id] = r.summary
	}
	return r.exit == 0
}

// target runs the two jobs of an environment.
func (c *carrier) target(p *prepared, env string) (good bool) {
	args := func(command string) []string {
		return []string{command, "--customer", p.customer, "--request", p.id, "--environment", env}
	}
	j := c.newJob(p.run)
	planned := c.do(j, args("plan")...)
	p.cancelled = p.cancelled || stopped(planned)
	if good = c.report(j, p) && planned.exit == 0; !good || !p.applies[env] || planned.outputs["outcome"] != "waiting" {
		return good
	}
	if c.approver != "" {
		must(c.world.manager.EnterEnvironment(p.run.run.ID, "apply", env+"-apply"))(c.t)
		check(c.t, c.world.manager.Review(p.run.run.ID, env+"-apply", c.approver, true, ""))
	}
	j = c.newJob(p.run)
	begins := c.do(j, "report", "--customer", p.customer, "--request", p.id, "--applying", env) // whatever comes of it, the apply follows
	if p.cancelled = p.cancelled || stopped(begins); p.cancelled {
		c.report(j, p)
		return false
	}
	applied := c.do(j, append(args("apply"), "--receipt", planned.outputs["receipt"])...)
	p.cancelled = p.cancelled || stopped(applied)
	return c.report(j, p) && applied.exit == 0
}

// finish carries a run from its first job to its end.
func (c *carrier) finish(p *prepared) (good bool) {
	good = p.good
	for _, env := range p.environments {
		if good {
			good = c.target(p, env)
		}
	}
	good = c.report(c.newJob(p.run), p, "--final", fmt.Sprintf("--cancelled=%t", p.cancelled)) && good
	conclusion := "failure"
	switch {
	case p.cancelled:
		conclusion = "cancelled"
	case good:
		conclusion = "success"
	}
	check(c.t, c.world.manager.SetRun(p.run.run.ID, "completed", conclusion))
	return good
}

// carry carries the request of a customer's run from begin to end.
func (c *carrier) carry(run workflowRun) (good bool, runs []*prepared) {
	c.t.Helper()
	exit, runs := c.ask(run)
	good = exit == 0
	for _, p := range runs {
		good = c.finish(p) && good
	}
	check(c.t, c.world.customer.SetRun(run.run.ID, "completed", "success"))
	return good, runs
}

// sweep is the manager's schedule, days later.
func (c *carrier) sweep(more ...string) result {
	c.t.Helper()
	head := must(c.world.manager.Head("main"))(c.t)
	run := workflowRun{repo: c.world.manager, event: []byte("{}"), sha: head, ref: "refs/heads/main"}
	run.run.Event, run.run.Path, run.run.ID, run.run.Attempt, run.run.Actor = "schedule", managerWorkflow, 1, 1, "robin"
	return c.newJob(run).inside(context.Background(), &clock{ahead: later + time.Until(c.manager.now())}, append([]string{"sweep"}, more...)...)
}

// ledger verifies the ledger of a target and returns its entries.
func (c *carrier) ledger(env string) []ledger.Entry {
	c.t.Helper()
	head := must(c.world.manager.Head("main"))(c.t)
	run := workflowRun{repo: c.world.manager, event: []byte("{}"), sha: head, ref: "refs/heads/main"}
	run.run.Event, run.run.Path, run.run.ID, run.run.Attempt, run.run.Actor = "schedule", managerWorkflow, 1, 1, "robin"
	r := c.newJob(run).inside(context.Background(), c.manager, "ledger", "--customer", "shop", "--environment", env, "--verify", "--json")
	if r.exit != 0 {
		c.t.Errorf("ledger --verify ends with exit code %d:\n%s", r.exit, r.log)
		return nil
	}
	_, list, found := strings.Cut(r.log, "\n[")
	if !found {
		c.t.Fatalf("no ledger:\n%s", r.log)
	}
	var printed []ledger.AuditReport
	check(c.t, json.NewDecoder(strings.NewReader("["+list)).Decode(&printed))
	return printed[0].Entries
}
