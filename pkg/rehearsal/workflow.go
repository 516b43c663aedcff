package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// These are the two workflows, as the files in .github/workflows of the two
// repositories say them in YAML.

// triggerJob is the customer's workflow: one job, one command.
func (s *rehearsal) triggerJob(ctx context.Context, run *workflowRun, wait string) (stepResult, error) {
	j, err := s.newJob(run, "trigger",
		token{"GITHUB_TOKEN", hub.Token{Kind: hub.Actions, Repositories: []string{run.repo.Slug()},
			Permissions: map[string]string{"contents": "read", "statuses": "write", "deployments": "read", "pull_requests": "read"}}},
		token{"MANAGER_REPO_PAT", hub.Token{Kind: hub.FineGrained, User: callerBot, Repositories: []string{s.setup.manager.Slug()},
			Permissions: map[string]string{"contents": "write"}}})
	if err != nil {
		return stepResult{}, err
	}
	url, bearer, err := s.setup.hub.OpenJob(hub.IDTokenJob{Repo: run.repo, RunID: run.run.ID, Job: j.name, Ref: run.ref, SHA: run.sha, HeadRef: run.head, BaseRef: run.base})
	if err != nil {
		return stepResult{}, err
	}
	j.idToken = [2]string{url, bearer}
	j.masks.add(bearer)
	args := []string{"trigger", "--manager", s.setup.manager.Slug(), "--customer-dir", ".", "--path", s.setup.who.Path, "--wait", wait}
	if s.setup.who.SharedRepository {
		args = append(args, "--customer", string(s.setup.who.Name))
	}
	result, err := j.do(ctx, step{
		args:    args,
		secrets: []string{"GITHUB_TOKEN", "MANAGER_REPO_PAT"},
	})
	return result, errors.Join(err, j.close(ctx.Err() != nil))
}

// managerRun is the manager's workflow for one request.
type managerRun struct {
	*rehearsal
	run                   *workflowRun
	customer, request     string
	targets               []string // by their names, such as "staging" or "staging/network"
	applies               []string
	approve               Approve
	outcomes              map[string]string // by target
	rejected              string            // target that a reviewer said no to
	failed                bool
	closed                bool   // the report of the last target of the chain has closed the request
	lastFile, lastSummary string // the last job summary: its file, and its text
}

// answer plays the manager's workflow: prepare, then one target after the
// other, and at last the final report, whatever happened before.
func (s *rehearsal) answer(ctx context.Context, q hub.Queued, approve Approve) (*managerRun, error) {
	m := &managerRun{rehearsal: s, approve: approve, outcomes: map[string]string{}, run: &workflowRun{
		who: story.Manager, repo: q.Repo, run: q.Run, event: q.Run.Payload, sha: q.Run.HeadSHA, ref: "refs/heads/" + q.Run.HeadBranch,
	}}
	if err := m.run.repo.SetRun(q.Run.ID, "in_progress", ""); err != nil {
		return m, err
	}
	err := m.jobs(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if !m.closed {
		err = errors.Join(err, m.finish(last, ctx.Err() != nil))
	}
	conclusion := "success"
	switch {
	case ctx.Err() != nil:
		conclusion = "cancelled"
	case m.failed || err != nil:
		conclusion = "failure"
	}
	return m, errors.Join(err, m.run.repo.SetRun(q.Run.ID, "completed", conclusion))
}

func (m *managerRun) jobs(ctx context.Context) error {
	if err := m.prepare(ctx); err != nil || m.failed {
		return err
	}
	for _, name := range m.targets {
		err := m.deploy(ctx, name)
		// A failure stops the targets after it, but where nothing is applied
		// all of them are planned: a reviewer wants to see every mistake at once.
		if err != nil || (m.failed && len(m.applies) > 0) || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// toolJob makes a job of this run for the tool: it has no token for customers' repositories.
func (m *managerRun) toolJob(name string) (*job, error) {
	return m.rehearsal.newJob(m.run, name, m.ownToken())
}

func (m *managerRun) ownToken() token {
	return token{"GITHUB_TOKEN", hub.Token{Kind: hub.Actions, Repositories: []string{m.run.repo.Slug()}, Permissions: map[string]string{"contents": "read", "actions": "read"}}}
}

// newJob makes a job of this run with the two tokens that the steps choose from.
func (m *managerRun) newJob(name string) (*job, error) {
	return m.rehearsal.newJob(m.run, name, m.ownToken(),
		token{"SOURCE_REPOS_PAT", hub.Token{Kind: hub.FineGrained, User: managerBot, Repositories: []string{m.setup.customer.Slug()},
			Permissions: map[string]string{"contents": "read", "statuses": "write", "pull_requests": "write", "issues": "write", "deployments": "write", "actions": "read"}}})
}

// command is a step of the manager: all of them need the key and the store.
func (m *managerRun) command(ctx context.Context, j *job, secrets []string, args ...string) (stepResult, error) {
	return j.do(ctx, step{args: args, secrets: secrets, extra: map[string]string{"METAPIPE_KEY": m.setup.key, "METAPIPE_STORE": m.setup.store}})
}

// report is the last step of a job: `if: always()`.
func (m *managerRun) report(ctx context.Context, j *job, more ...string) (closed bool, err error) {
	always := context.WithoutCancel(ctx)
	result, err := m.command(always, j, []string{"SOURCE_REPOS_PAT"}, append([]string{"report", "--customer", m.customer, "--request", m.request}, more...)...)
	if err != nil {
		return false, err
	}
	m.failed = m.failed || result.exit != exitDone
	m.lastFile, m.lastSummary = j.fileName()+".md", result.summary
	return result.outputs["closed"] == "true", m.tellNews(result.event)
}

// reportOf is the job of the report that follows one that runs the tool: `if: always()`.
func (m *managerRun) reportOf(ctx context.Context, name string) (closed bool, err error) {
	j, err := m.newJob("report-" + name)
	if err != nil {
		return false, err
	}
	closed, err = m.report(ctx, j)
	return closed, errors.Join(err, j.close(false))
}

// begin is the job that reports that the apply begins: `continue-on-error: true`.
func (m *managerRun) begin(ctx context.Context, t pipeline.Target) error {
	name := beginOf(t)
	if _, err := m.run.repo.EnterEnvironment(m.run.run.ID, name, t.Gate(pipeline.WorkApply)); err != nil {
		return err
	}
	j, err := m.newJob(name)
	if err != nil {
		return err
	}
	result, err := m.command(ctx, j, []string{"SOURCE_REPOS_PAT"}, "report", "--customer", m.customer, "--request", m.request, "--applying", string(t.Environment), "--stack", string(t.Stack))
	if err == nil {
		j.failed = false
		err = m.tellNews(result.event)
	}
	return errors.Join(err, m.run.repo.LeaveEnvironment(m.run.run.ID, name, err == nil), j.close(err != nil || ctx.Err() != nil))
}

// prepare is the first job: who asks, for what?
func (m *managerRun) prepare(ctx context.Context) error {
	j, err := m.newJob("prepare")
	if err != nil {
		return err
	}
	result, err := m.command(ctx, j, []string{"SOURCE_REPOS_PAT", "GITHUB_TOKEN"}, "fetch-vars")
	if err == nil {
		err = m.tellNews(result.event)
		m.customer, m.request = result.outputs["customer"], result.outputs["request-id"]
		m.targets, m.applies = listOf(result.outputs["targets"]), listOf(result.outputs["applies"])
		m.failed = result.exit != exitDone
		_, reportErr := m.report(ctx, j)
		err = errors.Join(err, reportErr)
	}
	return errors.Join(err, j.close(ctx.Err() != nil))
}

// targetNamed is the target of a name that fetch-vars put out, without its customer.
func targetNamed(name string) pipeline.Target {
	env, stack, _ := strings.Cut(name, "/")
	return pipeline.Target{Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}
}

// deploy plans one target, and applies the plan behind its gate.
func (m *managerRun) deploy(ctx context.Context, name string) error {
	t := targetNamed(name)
	planned, err := m.target(ctx, pipeline.WorkPlan, t)
	if err != nil {
		return err
	}
	m.outcomes[name] = planned.outputs["outcome"]
	if planned.exit != exitDone || m.failed || m.outcomes[name] != string(pipeline.OutcomeWaiting) || !slices.Contains(m.applies, name) || ctx.Err() != nil {
		return nil
	}
	open, err := m.gate(ctx, t, planned.outputs)
	if err != nil || !open {
		m.failed = true
		return err
	}
	applied, err := m.target(ctx, pipeline.WorkApply, t, "--receipt", planned.outputs["receipt"], "--await-report")
	if err == nil {
		m.outcomes[name] = applied.outputs["outcome"]
	}
	return err
}

// jobOf is the name of the job of one command on one target.
func jobOf(work pipeline.Work, t pipeline.Target) string { return string(work) + "-" + t.Part() }

// beginOf is the name of the job that reports that the apply of a target begins.
func beginOf(t pipeline.Target) string { return "begin-" + t.Part() }

// target is the job of one command on one target, followed by the one of its report.
func (m *managerRun) target(ctx context.Context, work pipeline.Work, t pipeline.Target, more ...string) (stepResult, error) {
	if work == pipeline.WorkApply {
		if err := m.begin(ctx, t); err != nil {
			return stepResult{}, err
		}
	}
	result, err := m.tool(ctx, work, t, more...)
	if err != nil {
		return result, err
	}
	closed, err := m.reportOf(ctx, jobOf(work, t))
	m.closed = closed && m.endsChain(t)
	return result, err
}

// tool is the job that runs the tool.
func (m *managerRun) tool(ctx context.Context, work pipeline.Work, t pipeline.Target, more ...string) (stepResult, error) {
	name := jobOf(work, t)
	if _, err := m.run.repo.EnterEnvironment(m.run.run.ID, name, t.Gate(work)); err != nil {
		return stepResult{}, err
	}
	j, err := m.toolJob(name)
	if err != nil {
		return stepResult{}, err
	}
	var secrets []string
	if work == pipeline.WorkApply {
		secrets = []string{"GITHUB_TOKEN"}
	}
	args := append([]string{string(work), "--customer", m.customer, "--request", m.request, "--environment", string(t.Environment), "--stack", string(t.Stack)}, more...)
	result, err := m.command(ctx, j, secrets, args...)
	m.failed = m.failed || result.exit != exitDone
	left := m.run.repo.LeaveEnvironment(m.run.run.ID, name, !j.failed)
	return result, errors.Join(err, left, j.close(ctx.Err() != nil))
}

// endsChain reports whether t is the last target that the workflow has a job for.
func (m *managerRun) endsChain(t pipeline.Target) bool {
	chain := m.setup.who.Manager.Chain()
	return len(chain) > 0 && chain[len(chain)-1].Name() == t.Name()
}

// finish is the last job, whatever happened before. What is still open becomes final.
func (m *managerRun) finish(ctx context.Context, cancelled bool) error {
	j, err := m.newJob("finish")
	if err != nil {
		return err
	}
	more := []string{"--final"}
	if cancelled {
		more = append(more, "--cancelled")
	}
	_, err = m.report(ctx, j, more...)
	return errors.Join(err, j.close(false))
}

// gate stands before the jobs begin and apply, which wait at it together. It reports whether
// they may run.
func (m *managerRun) gate(ctx context.Context, t pipeline.Target, plan map[string]string) (bool, error) {
	repo, id, job, name := m.run.repo, m.run.run.ID, jobOf(pipeline.WorkApply, t), t.Gate(pipeline.WorkApply)
	if _, err := repo.EnterEnvironment(id, beginOf(t), name); err != nil {
		return false, err
	}
	at, err := repo.EnterEnvironment(id, job, name)
	if err != nil || at == hub.GateOpen {
		return err == nil, err
	}
	if at == hub.GateRejected {
		m.narrator.say(story.GitHub, story.Failed, "environment "+name, "does not admit this branch")
		return false, nil
	}
	yes, why, err := m.review(ctx, t.Name(), plan)
	if err != nil {
		return false, err
	}
	if err := repo.Review(id, name, approver, yes, why); err != nil {
		return false, err
	}
	if !yes {
		m.rejected = t.Name()
		return false, nil
	}
	at, err = repo.AwaitEnvironment(ctx, id, job, name)
	if err != nil {
		return false, fmt.Errorf("wait for the gate of %s: %w", name, err)
	}
	return at == hub.GateOpen, nil
}

// review is what the reviewer sees and says at a gate: the plan in one line, the
// receipt that ties the apply to it, and where the whole of it is written.
func (m *managerRun) review(ctx context.Context, target string, plan map[string]string) (yes bool, why string, err error) {
	e := m.narrator.begin(story.Reviewer, target+" waits for approval", counted(plan)+" · receipt "+plan["receipt-code"])
	e.show(story.Part{Kind: story.Summary, Title: "The job summary that the reviewer sees; receipt " + plan["receipt-code"], Markdown: m.lastSummary})
	e.line(shown{lineText, "The plan is in the job summary: " + m.folder.path("manager", "summaries", m.lastFile)})
	switch m.approve {
	case ApproveYes:
		yes, why = true, "approved by the rehearsal"
	case ApproveNo:
		yes, why = false, "rejected by the rehearsal"
	default:
		yes, why, err = m.ask(ctx, fmt.Sprintf("%-*s? Apply this plan to %s? [y/N] ", gutter, "", target))
	}
	switch {
	case err != nil:
		e.end(story.Stopped, "no answer")
	case yes:
		e.end(story.Done, "approved")
	default:
		e.end(story.Stopped, why)
	}
	return yes, why, err
}
