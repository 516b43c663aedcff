package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CanaryGitHub is what a dry run from end to end asks of GitHub.
type CanaryGitHub interface {
	Settings(ctx context.Context, repo pipeline.Slug) (Repository, error)
	BranchHead(ctx context.Context, repo pipeline.Slug, branch string) (pipeline.SHA, error)
	Statuses(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error)
	StartWorkflow(ctx context.Context, repo pipeline.Slug, file, branch string, inputs map[string]string) error
	// StartedRuns are the newest runs of a workflow that someone has started by hand.
	StartedRuns(ctx context.Context, repo pipeline.Slug, file string) ([]pipeline.WorkflowRun, error)
	PullRequestsOf(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error)
	Comments(ctx context.Context, repo pipeline.Slug, number int) ([]pipeline.Comment, error)
}

// Canary is the customer whose dry run is played.
type Canary struct {
	Repository pipeline.Slug
	Workflow   string // the path of the workflow that sends requests
	Context    string // the status of the whole request
	Marker     string // the first line of the comment on a pull request; empty: not looked for
	Wait       time.Duration
	Pause      time.Duration // between two looks
	Sleep      func(context.Context, time.Duration) error
	Logf       func(format string, args ...any)
}

// played is a dry run on its way.
type played struct {
	Doctor
	github CanaryGitHub
	canary Canary
	token  string
	begun  time.Time
	head   pipeline.SHA
	known  map[int64]bool // the runs that were there before
	before []pipeline.Status
	checks []Check
}

// EndToEnd starts a dry run of the customer's default branch, and follows it to its report. Nothing is applied.
func (d Doctor) EndToEnd(ctx context.Context, token string, g CanaryGitHub, c Canary) []Check {
	p := &played{Doctor: d, github: g, canary: c, token: token, known: map[int64]bool{}, begun: d.Now()}
	if p.send(ctx) && p.run(ctx) && p.statuses(ctx) {
		p.comment(ctx)
	}
	return p.checks
}

func (p *played) note(state State, what, evidence, remedy string) {
	p.checks = append(p.checks, Check{ID: "end-to-end", Subject: p.canary.Repository.String() + ": " + what, State: state, Evidence: evidence, Remedy: remedy})
}

// failed notes an error of GitHub.
func (p *played) failed(what string, err error) bool {
	c := unread("end-to-end", p.canary.Repository.String()+": "+what, Access{Name: p.token}, "", err)
	c.State = Fail
	p.checks = append(p.checks, c)
	return false
}

func (p *played) after() string { return p.Now().Sub(p.begun).Round(time.Second).String() }

// send starts the customer's workflow in the mode dry-run.
func (p *played) send(ctx context.Context) bool {
	const what = "sent"
	repository, err := p.github.Settings(ctx, p.canary.Repository)
	if err != nil {
		return p.failed(what, err)
	}
	if p.head, err = p.github.BranchHead(ctx, p.canary.Repository, repository.DefaultBranch); err != nil {
		return p.failed(what, err)
	}
	if p.before, err = p.github.Statuses(ctx, p.canary.Repository, p.head); err != nil {
		return p.failed(what, err)
	}
	runs, err := p.github.StartedRuns(ctx, p.canary.Repository, p.file())
	if err != nil {
		return p.failed(what, err)
	}
	for _, r := range runs {
		p.known[r.ID] = true
	}
	if err := p.github.StartWorkflow(ctx, p.canary.Repository, p.file(), repository.DefaultBranch, map[string]string{"mode": string(pipeline.ModeDryRun)}); err != nil {
		return p.failed(what, err)
	}
	p.note(OK, what, fmt.Sprintf("a dry run of %s", p.head.Short()), "")
	return true
}

func (p *played) file() string {
	return p.canary.Workflow[strings.LastIndexByte(p.canary.Workflow, '/')+1:]
}

// until looks again and again, until the wait is over. An error of GitHub ends it.
func (p *played) until(ctx context.Context, look func() (done bool, err error)) (bool, error) {
	for {
		done, err := look()
		if done || err != nil {
			return done, err
		}
		if p.Now().Sub(p.begun) >= p.canary.Wait {
			return false, nil
		}
		if err := p.canary.Sleep(ctx, p.canary.Pause); err != nil {
			return false, err
		}
	}
}

// run waits for the run that GitHub has made of it.
func (p *played) run(ctx context.Context) bool {
	const what = "the customer's run"
	var run pipeline.WorkflowRun
	found, err := p.until(ctx, func() (bool, error) {
		runs, err := p.github.StartedRuns(ctx, p.canary.Repository, p.file())
		i := slices.IndexFunc(runs, func(r pipeline.WorkflowRun) bool { return !p.known[r.ID] && r.HeadSHA == p.head })
		if i >= 0 {
			run = runs[i]
		}
		return i >= 0, err
	})
	switch {
	case err != nil:
		return p.failed(what, err)
	case !found:
		p.note(Fail, what, "GitHub has made no run of it within "+p.after(), "look at the page Actions of the repository: is the workflow enabled?")
		return false
	}
	p.note(OK, what, "it began after "+p.after()+": "+run.URL, "")
	return true
}

// statuses waits until the status of the whole request is a final one of this run.
func (p *played) statuses(ctx context.Context) bool {
	var last pipeline.Status
	pending := ""
	done, err := p.until(ctx, func() (bool, error) {
		all, err := p.github.Statuses(ctx, p.canary.Repository, p.head)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(all, func(s pipeline.Status) bool { return s.Context == p.canary.Context })
		if i < 0 || slices.Contains(p.before, all[i]) {
			return false, nil
		}
		last = all[i]
		if last.State == pipeline.StatusPending {
			if pending == "" {
				pending = p.after()
				p.canary.Logf("picked up after %s: %s", pending, last.Description)
			}
			return false, nil
		}
		return true, nil
	})
	switch {
	case err != nil:
		return p.failed("the status", err)
	case !done && pending == "":
		p.note(Fail, "picked up", "the manager has not picked it up within "+p.after(), "run doctor for the manager and for the customer: is a workflow disabled, or a token without a permission?")
		return false
	case !done:
		p.note(Fail, "ended", "it was picked up after "+pending+", and has not ended within "+p.after()+": "+last.Description, "look at the manager's run: "+last.TargetURL)
		return false
	case last.State != pipeline.StatusSuccess:
		p.note(Fail, "ended", fmt.Sprintf("%s after %s: %s", last.State, p.after(), last.Description), "look at the manager's run: "+last.TargetURL)
		return false
	}
	if pending == "" {
		pending = p.after()
	}
	p.note(OK, "picked up", "after "+pending, "")
	p.note(OK, "ended", fmt.Sprintf("after %s: %s (%s)", p.after(), last.Description, last.TargetURL), "")
	return true
}

// comment looks for the comment on the pull request that the commit came from. Without one there is none.
func (p *played) comment(ctx context.Context) {
	const what = "the comment"
	if p.canary.Marker == "" {
		return
	}
	pulls, err := p.github.PullRequestsOf(ctx, p.canary.Repository, p.head)
	if err != nil {
		p.failed(what, err)
		return
	}
	pulls = slices.DeleteFunc(pulls, func(r pipeline.PullRequest) bool { return !r.Merged })
	if len(pulls) == 0 {
		p.note(OK, what, "the commit comes from no pull request, so there is none", "")
		return
	}
	comments, err := p.github.Comments(ctx, p.canary.Repository, pulls[0].Number)
	if err != nil {
		p.failed(what, err)
		return
	}
	if !slices.ContainsFunc(comments, func(c pipeline.Comment) bool { return strings.HasPrefix(c.Body, p.canary.Marker) }) {
		p.note(Warn, what, fmt.Sprintf("pull request #%d has no comment of the manager", pulls[0].Number), "look at the report of its last request")
		return
	}
	p.note(OK, what, fmt.Sprintf("on pull request #%d", pulls[0].Number), "")
}
