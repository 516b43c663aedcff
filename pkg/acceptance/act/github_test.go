package act

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
)

// journey is how a run of the customer went through both workflows.
type journey struct {
	customer, manager bool // they succeeded
	asked, answered   []actStep
	handedOn          string  // to the customer's job that needs the infrastructure
	run               hub.Run // the manager's
}

// through carries a run of the customer through both workflows.
func (w *actSetup) through(run fixture.WorkflowRun, inputs map[string]string) journey {
	w.T.Helper()
	requested := w.trigger(run, inputs)
	return w.answer(w.dispatched(requested), nil).end().with(requested)
}

// with adds how the customer's workflow ended.
func (j journey) with(requested *actRun) journey {
	t := requested.w.T
	t.Helper()
	j.customer = requested.wait()
	j.asked = actSteps(t, requested.record)
	j.handedOn = fixture.ReadOptional(t, filepath.Join(requested.record, handedOn))
	if t.Failed() || testing.Verbose() {
		t.Logf("customer:\n%s", requested.log)
	}
	return j
}

// trigger starts the customer's workflow.
func (w *actSetup) trigger(run fixture.WorkflowRun, inputs map[string]string) *actRun {
	w.T.Helper()
	return w.act(run, actJobs{workflow: filepath.Base(intake.TriggerWorkflow), inputs: inputs, settings: w.settings(run), record: filepath.Join(w.T.TempDir(), "record")})
}

// dispatched takes the manager's run that a customer's workflow has made.
func (w *actSetup) dispatched(requested *actRun) fixture.WorkflowRun {
	w.T.Helper()
	ctx, cancel := context.WithCancel(w.T.Context())
	defer cancel()
	go func() {
		select {
		case <-requested.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	q, err := w.Hub.NextRun(ctx)
	if err != nil {
		requested.wait()
		w.T.Fatalf("nothing was dispatched: %v (%v)\n%s", err, requested.err, requested.log)
	}
	fixture.Check(w.T, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	return fixture.WorkflowRun{Repo: q.Repo, Run: q.Run, Event: q.Run.Payload, SHA: q.Run.HeadSHA, Ref: "refs/heads/" + q.Run.HeadBranch}
}

// answering is a run of the manager under way.
type answering struct {
	w    *actSetup
	run  fixture.WorkflowRun
	jobs actJobs
	now  *actRun
}

// answer starts the manager's workflow.
func (w *actSetup) answer(run fixture.WorkflowRun, inputs map[string]string) *answering {
	w.T.Helper()
	return w.answerWithout(run, inputs, nil)
}

// answerWithout starts the manager's workflow without the jobs that are kept.
func (w *actSetup) answerWithout(run fixture.WorkflowRun, inputs map[string]string, kept map[string]runner.Kept) *answering {
	w.T.Helper()
	a := &answering{w: w, run: run, jobs: actJobs{workflow: filepath.Base(fixture.ManagerWorkflow), inputs: inputs, kept: kept, settings: w.settings(run), record: filepath.Join(w.T.TempDir(), "record")}}
	a.jobs.gates = w.gates(run, a.jobs.record)
	a.now = w.act(run, a.jobs)
	return a
}

// end waits for the last job.
func (a *answering) end() journey {
	t := a.w.T
	t.Helper()
	j := journey{manager: true}
	for {
		well := a.now.wait()
		j.manager = j.manager && well
		before := len(j.answered)
		j.answered = actSteps(t, a.jobs.record)
		if t.Failed() || testing.Verbose() {
			t.Logf("manager:\n%s", a.now.log)
		}
		if slices.ContainsFunc(j.answered, func(s actStep) bool { return slices.Contains(s.args, "--final") }) || a.w.engine != inAct {
			break
		}
		workflow := fixture.Must(a.run.Repo.Files("main"))(t)[fixture.ManagerWorkflow].Content
		if closes(t, workflow, j.answered) {
			break
		}
		if len(j.answered) == before {
			t.Fatalf("the manager's workflow got nowhere:\n%s", a.now.log)
		}
		a.jobs.instead = resumed(t, workflow, j.answered)
		a.now = a.w.act(a.run, a.jobs)
	}
	conclusion := map[bool]string{true: "success", false: "failure"}[j.manager]
	fixture.Check(t, a.run.Repo.SetRun(a.run.Run.ID, "completed", conclusion))
	j.run = fixture.Must(a.run.Repo.Run(a.run.Run.ID))(t)
	return j
}

// closes reports whether the last step is a report on the last target of the chain that has closed
// the request, so that the last job is left out. After that of another target, it is not.
func closes(t *testing.T, workflow []byte, steps []actStep) bool {
	t.Helper()
	last := steps[len(steps)-1]
	if last.command != "report" || last.outputs["closed"] != "true" {
		return false
	}
	var document struct{ Jobs map[string]any }
	fixture.Check(t, yaml.Unmarshal(workflow, &document))
	chain := chainOf(document.Jobs)
	return targetOf(document.Jobs[chain[len(chain)-1]]) == lastTarget(steps)
}

// targetOf is the target of a job of the chain.
func targetOf(job any) string {
	with := job.(map[string]any)["with"].(map[string]any)
	target := with["environment"].(string)
	if stack, ok := with["stack"].(string); ok {
		target += "/" + stack
	}
	return target
}

// lastTarget is the target of the last steps, "" where there was none. A report belongs to the step
// before it.
func lastTarget(steps []actStep) string {
	for _, s := range slices.Backward(steps) {
		if s.environment != "" {
			return s.environment
		}
	}
	return ""
}

// resumed is the manager's workflow after act has stopped: it starts no job after a
// called workflow that has failed, also not one with `if: always()`. The jobs that
// have ended are replaced by ones that end alike; those to come stay as they are.
func resumed(t *testing.T, workflow []byte, steps []actStep) []byte {
	t.Helper()
	document := map[string]any{}
	fixture.Check(t, yaml.Unmarshal(workflow, &document))
	jobs := document["jobs"].(map[string]any)
	ends := func(name string, step map[string]any, more map[string]any) {
		job := map[string]any{"runs-on": "ubuntu-latest", "steps": []any{step}}
		for _, key := range []string{"needs", "outputs"} {
			if value, ok := jobs[name].(map[string]any)[key]; ok {
				job[key] = value
			}
		}
		for key, value := range more {
			job[key] = value
		}
		jobs[name] = job
	}
	fetched, ok := stepOf(steps, "fetch-vars", "")
	if !ok {
		t.Fatal("the first job has left no record")
	}
	ends("prepare", map[string]any{"id": "fetch", "env": map[string]any{"SAID": fetched.rawOut}, "run": `printf '%s' "$SAID" >>"$GITHUB_OUTPUT"`}, nil)
	last := lastTarget(steps)
	for _, name := range chainOf(jobs) {
		target := targetOf(jobs[name])
		switch _, planned := stepOf(steps, "plan", target); {
		case target == last:
			ends(name, map[string]any{"run": "exit 1"}, map[string]any{"if": "always()"})
			return fixture.Must(yaml.Marshal(document))(t)
		case planned:
			ends(name, map[string]any{"run": "true"}, map[string]any{"if": "always()"})
		default:
			ends(name, map[string]any{"run": "true"}, map[string]any{"if": "false"})
		}
	}
	t.Fatal("act has stopped without a reason")
	return nil
}

// chainOf are the jobs for targets in the order in which they wait for each other: each needs
// all that come before it.
func chainOf(jobs map[string]any) []string {
	var chain []string
	for name := range jobs {
		if strings.HasPrefix(name, "target-") {
			chain = append(chain, name)
		}
	}
	needs := func(name string) int { return len(jobs[name].(map[string]any)["needs"].([]any)) }
	slices.SortFunc(chain, func(a, b string) int { return needs(a) - needs(b) })
	return chain
}

// withGates puts a job before each one that has an environment: it asks the double
// whether that one may start, and fails when it may not. `queue` is left out, the one
// key that act refuses to read.
func withGates(t *testing.T, workflow []byte) []byte {
	t.Helper()
	document := map[string]any{}
	fixture.Check(t, yaml.Unmarshal(workflow, &document))
	jobs := document["jobs"].(map[string]any)
	gates := handsOn(document)
	for name, value := range jobs {
		job := value.(map[string]any)
		if c, ok := job["concurrency"].(map[string]any); ok {
			delete(c, "queue")
		}
		environment, ok := job["environment"]
		if !ok {
			continue
		}
		gate := map[string]any{"runs-on": "ubuntu-latest", "steps": []any{
			map[string]any{"env": map[string]any{"ENVIRONMENT": environment, "STACK": "${{ inputs.stack }}", "JOB": name}, "run": `exec ask-gate "$GATES/$ENVIRONMENT/$JOB/$STACK"`},
		}}
		needs := []any{name + "-gate"}
		if before, ok := job["needs"]; ok {
			needs, gate["needs"] = append(needs, before), before
		}
		if condition, ok := job["if"]; ok {
			gate["if"] = condition
		}
		job["needs"], gates[name+"-gate"] = needs, gate
	}
	if len(gates) == 0 {
		return workflow
	}
	for name, gate := range gates {
		jobs[name] = gate
	}
	return fixture.Must(yaml.Marshal(document))(t)
}

// handsOn is a last job for a called workflow that calls another one, none for others: act hands
// the outputs of a workflow on when a job with steps ends, and not when a called workflow does.
func handsOn(workflow map[string]any) map[string]any {
	on, _ := workflow["on"].(map[string]any)
	if _, called := on["workflow_call"]; !called {
		return map[string]any{}
	}
	for name, job := range workflow["jobs"].(map[string]any) {
		if _, calls := job.(map[string]any)["uses"]; calls {
			return map[string]any{"hands-on": map[string]any{"runs-on": "ubuntu-latest", "needs": name, "if": "always()", "steps": []any{map[string]any{"run": "true"}}}}
		}
	}
	return map[string]any{}
}

// gatekeeper asks the double whether the jobs of a run may start. The jobs begin and apply wait at
// one gate together: the later one lets the reviewer decide about both.
type gatekeeper struct {
	w       *actSetup
	run     fixture.WorkflowRun
	stored  string // the records of the steps so far
	turn    sync.Mutex
	waiting map[string]int
}

// enter asks for a job of a stack, which is empty where stacks have no names.
func (g *gatekeeper) enter(job, environment, stack string) (at hub.Gate, err error) {
	g.turn.Lock()
	defer g.turn.Unlock()
	if at, err = g.run.Repo.EnterEnvironment(g.run.Run.ID, job, environment); err != nil || at != hub.GateWaiting {
		return at, err
	}
	if g.waiting[environment+"/"+stack]++; g.waiting[environment+"/"+stack]%2 == 0 {
		g.w.review(g.run, environment, actSteps(g.w.T, g.stored))
	}
	return at, nil
}

// admits waits for the answer.
func (g *gatekeeper) admits(ctx context.Context, job, environment, stack string) (bool, error) {
	at, err := g.enter(job, environment, stack)
	if err == nil && at == hub.GateWaiting {
		at, err = g.run.Repo.AwaitEnvironment(ctx, g.run.Run.ID, job, environment)
	}
	return err == nil && at == hub.GateOpen, err
}

func (w *actSetup) gatekeeper(run fixture.WorkflowRun, stored string) *gatekeeper {
	return &gatekeeper{w: w, run: run, stored: stored, waiting: map[string]int{}}
}

// gates serves the answers of the double for the jobs of a run.
func (w *actSetup) gates(run fixture.WorkflowRun, stored string) string {
	keeper := w.gatekeeper(run, stored)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		environment, job, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		_, stack, _ := strings.Cut(job, "/")
		open, err := keeper.admits(r.Context(), job, environment, stack)
		if err != nil {
			w.T.Errorf("gate of %s: %v", environment, err)
		}
		if !open {
			out.WriteHeader(http.StatusForbidden)
		}
	}))
	w.T.Cleanup(server.Close)
	return server.URL
}

// approves is a reviewer who looks at the plan before saying yes.
func (w *actSetup) approves(run fixture.WorkflowRun, environment string, soFar []actStep) {
	w.decides(run, environment, soFar, true)
}

// decides reads what GitHub shows to a reviewer, the summaries of the jobs so far,
// and gives an answer.
func (w *actSetup) decides(run fixture.WorkflowRun, environment string, soFar []actStep, yes bool) {
	env, _, _ := strings.Cut(environment, "-")
	var planned actStep // the last one in the environment: of its stacks, one waits at a time
	ok := false
	for _, s := range soFar {
		if of, _, _ := strings.Cut(s.environment, "/"); s.command == "plan" && of == env {
			planned, ok = s, true
		}
	}
	shown := slices.ContainsFunc(soFar, func(s actStep) bool {
		return strings.Contains(s.summary, planned.outputs["receipt-code"]) && strings.Contains(s.summary, "terraform_data.first")
	})
	if !ok || planned.outputs["receipt-code"] == "" || !shown {
		w.T.Errorf("no summary shows the reviewer of %s the plan and its receipt %q", environment, planned.outputs["receipt-code"])
	}
	if err := run.Repo.Review(run.Run.ID, environment, "robin", yes, "seen"); err != nil {
		w.T.Error(err)
	}
}
