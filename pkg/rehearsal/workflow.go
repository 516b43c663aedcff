package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hubrun"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// These are the runs of the workflows, with the secrets and variables that docs/SETUP.md lists.

// triggerRun plays the customer's workflow, and returns what came back from `metapipe trigger`.
func (s *rehearsal) triggerRun(ctx context.Context, run *workflowRun) (stepResult, error) {
	sends := s.setup.manager
	if s.setup.inbox != nil {
		sends = s.setup.inbox
	}
	st, err := s.newStage(run, ApproveNo, senderToken(callerBot, sends))
	if err != nil {
		return stepResult{}, err
	}
	st.namesManager()
	if s.setup.inbox != nil {
		st.vars["MANAGER_INBOX"] = s.setup.inbox.Slug()
	}
	err = st.play(ctx, s.setup.customerFile, inherited(s.opts.Environ, nil))
	result, found := st.last("trigger")
	if err == nil && !found && ctx.Err() == nil {
		err = fmt.Errorf("%s of %s has not run `metapipe trigger`", s.setup.customerFile, run.Repo.Slug())
	}
	return result, err
}

// senderToken is a token that can send requests to a repository.
func senderToken(user string, to *hub.Repo) token {
	return token{"MANAGER_REPO_PAT", hub.Token{Kind: hub.FineGrained, User: user, Repositories: []string{to.Slug()}, Permissions: map[string]string{"contents": "write"}}}
}

// namesManager sets the variables that say which repository is the manager.
func (st *stage) namesManager() {
	st.vars["MANAGER_REPO_OWNER"], st.vars["MANAGER_REPO_NAME"], _ = strings.Cut(st.setup.manager.Slug(), "/")
}

// forward plays the inbox's workflow, whose token for the manager is a secret of an environment.
func (s *rehearsal) forward(ctx context.Context, q hub.Queued) error {
	st, err := s.newStage(queuedRun(s.setup.hub, story.Inbox, q), ApproveNo, senderToken(inboxBot, s.setup.manager))
	if err != nil {
		return err
	}
	st.secretsIn = inboxEnvironment
	st.namesManager()
	return st.play(ctx, s.setup.inboxFile, inherited(s.opts.Environ, nil))
}

// queuedRun is a run that a dispatch has started.
func queuedRun(on *hub.Server, who story.Who, q hub.Queued) *workflowRun {
	return &workflowRun{who: who, Run: &hubrun.Run{Hub: on, Repo: q.Repo, Record: q.Run, Payload: q.Run.Payload, SHA: q.Run.HeadSHA, Ref: "refs/heads/" + q.Run.HeadBranch}}
}

// managerRun is what became of the manager's workflow for one request.
type managerRun struct {
	applies  []string          // targets by their names, such as "staging" or "staging/network"
	outcomes map[string]string // by target
	rejected string            // target that a reviewer said no to
	ungated  string            // a job that applied at another gate than that of its target; empty: none
}

// answer plays the manager's workflow.
func (s *rehearsal) answer(ctx context.Context, q hub.Queued, approve Approve) (*managerRun, error) {
	m := &managerRun{outcomes: map[string]string{}}
	st, err := s.newStage(queuedRun(s.setup.hub, story.Manager, q), approve,
		token{"SOURCE_REPOS_PAT", hub.Token{Kind: hub.FineGrained, User: managerBot, Repositories: []string{s.setup.customer.Slug()},
			Permissions: map[string]string{"contents": "read", "statuses": "write", "pull_requests": "write", "issues": "write", "deployments": "write", "actions": "read"}}})
	if err != nil {
		return m, err
	}
	st.secrets["METAPIPE_KEY"] = s.setup.key
	environ := append(inherited(s.opts.Environ, s.setup.who.Manager.ToolEnviron()), "METAPIPE_STORE="+s.setup.store)
	err = st.play(ctx, s.setup.managerFile, environ)
	for _, r := range st.results {
		switch r.command {
		case "fetch-vars":
			m.applies = listOf(r.outputs["applies"])
		case string(pipeline.WorkPlan), string(pipeline.WorkApply):
			m.outcomes[r.target] = r.outputs["outcome"]
		}
	}
	m.rejected, m.ungated = st.rejected, st.ungated
	return m, err
}

// last is the last result of a command.
func (st *stage) last(command string) (stepResult, bool) {
	for _, r := range slices.Backward(st.results) {
		if r.command == command {
			return r, true
		}
	}
	return stepResult{}, false
}

// review is what the reviewer sees and says at a gate: the plan in one line, the
// receipt that ties the apply to it, and where the whole of it is written.
func (st *stage) review(ctx context.Context, j *runner.Job) (yes bool, why string, err error) {
	target := targetOf(j).Name()
	st.mu.Lock()
	plan, summary, file := stepResult{outputs: map[string]string{}}, "", ""
	for _, r := range st.results {
		if r.target == target && r.command == string(pipeline.WorkPlan) {
			plan = r
		}
	}
	for _, shown := range st.summaries {
		if shown.target == target {
			summary, file = shown.text, shown.file
		}
	}
	st.mu.Unlock()
	e := st.narrator.begin(story.Reviewer, target+" waits for approval", counted(plan.outputs)+" · receipt "+plan.outputs["receipt-code"])
	e.show(story.Part{Kind: story.Summary, Title: "The job summary that the reviewer sees; receipt " + plan.outputs["receipt-code"], Markdown: summary})
	if file != "" {
		e.line(runner.Shown{Kind: runner.LineText, Text: "The plan is in the job summary: " + st.folder.path("manager", "summaries", file)})
	}
	switch st.approve {
	case ApproveYes:
		yes, why = true, "approved by the rehearsal"
	case ApproveNo:
		yes, why = false, "rejected by the rehearsal"
	default:
		yes, why, err = st.ask(ctx, fmt.Sprintf("%-*s? Apply this plan to %s? [y/N] ", gutter, "", target))
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
