package attack

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// anyExit stands for each exit code.
const anyExit = -2

// playJob plays a job of the manager's shipped workflow. The command has to end with the exit code.
// The token for customers reaches both of them.
func (a *attempt) playJob(exit int, command string, job fixture.WorkflowJob) map[string]fixture.Result {
	a.T.Helper()
	job.Secrets = map[string]string{"METAPIPE_KEY": a.Key, "SOURCE_REPOS_PAT": a.sources(fmt.Sprintf("job %d", a.NextJob()))}
	if command != "report" { // plans and applies have the variables that `with` has set
		for _, pair := range a.with {
			if name, value, _ := strings.Cut(pair, "="); job.Secrets[name] != "" {
				job.Secrets[name] = value
			} else {
				job.Environ = append(job.Environ, pair)
			}
		}
	}
	all := a.PlayJob(job)
	r, ran := all[command]
	if !ran || r.Exit != exit && exit != anyExit {
		a.T.Fatalf("%s of the job %s ended with exit code %d (ran: %v), want %d:\n%s", command, job.Path, r.Exit, ran, exit, r.Log)
	}
	return all
}

// prepare plays the first job of a run: fetch-vars, which has to end with the exit code, and
// its report.
func (a *attempt) prepare(run fixture.WorkflowRun, exit int) (fetched, reported fixture.Result) {
	a.T.Helper()
	all := a.playJob(exit, "fetch-vars", fixture.WorkflowJob{Run: run, Path: "prepare"})
	return all["fetch-vars"], all["report"]
}

// finish plays the last job of a run: the final report on a request.
func (a *attempt) finish(run fixture.WorkflowRun, exit int, customer, request string) fixture.Result {
	a.T.Helper()
	given := map[string]map[string]string{"prepare": {"customer": customer, "request": request}}
	return a.playJob(exit, "report", fixture.WorkflowJob{Run: run, Path: "finish", Given: given})["report"]
}

// final plays the last job of the present request.
func (a *attempt) final() fixture.Result {
	a.T.Helper()
	return a.finish(a.r.Run, 0, a.r.Customer, a.r.ID)
}

// onTarget plays a job that works on a target of the present request, whatever fetch-vars and
// the plan have answered.
func (a *attempt) onTarget(exit int, command, job, target string) fixture.Result {
	a.T.Helper()
	return a.onTargetOf(a.r.Run, exit, command, job, target, a.r.Customer, a.r.ID)
}

func (a *attempt) onTargetOf(run fixture.WorkflowRun, exit int, command, job, target, customer, request string) fixture.Result {
	a.T.Helper()
	env, stack, _ := strings.Cut(target, "/")
	targets := string(fixture.Must(json.Marshal([]string{target}))(a.T))
	given := map[string]map[string]string{
		"prepare": {"customer": customer, "request": request, "targets": targets, "applies": targets},
		"plan":    {"outcome": "waiting", "receipt": a.receipts[target]},
	}
	return a.playJob(exit, command, fixture.WorkflowJob{Run: run, Path: job, Given: given,
		Target: pipeline.Target{Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}})[command]
}

// planTarget plays the job that plans a target.
func (a *attempt) planTarget(exit int, target string) fixture.Result {
	a.T.Helper()
	return a.onTarget(exit, "plan", "plan", target)
}

// report plays the report behind the plan of a target.
func (a *attempt) report(exit int, target string) fixture.Result {
	a.T.Helper()
	return a.onTarget(exit, "report", "report", target)
}

// applyJob plays the job that applies a target. Where there is no receipt, which the workflow does not
// start it without, the command is called as by hand.
func (a *attempt) applyJob(exit int, target string) fixture.Result {
	a.T.Helper()
	if receipt := a.receipts[target]; receipt == "" || receipt == "none" {
		return a.target().Do(exit, a.r.Args("apply", target)...)
	}
	return a.onTarget(exit, "apply", "apply/apply", target)
}

// announce plays the job beside the apply of a target, which says that the apply has begun. It may
// fail: no apply depends on it.
func (a *attempt) announce(target string) {
	a.T.Helper()
	a.onTarget(anyExit, "report", "apply/begin", target)
}
