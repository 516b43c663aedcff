package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hubrun"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// play runs the rehearsal, part by part. A part that does not end as expected is
// reported as such; the parts that rest on it are left out.
func (s *rehearsal) play(ctx context.Context) error {
	if s.setup.change.deployed() {
		if err := s.today(ctx); err != nil {
			return err
		}
	}
	planned, err := s.pullRequest(ctx)
	if err != nil {
		return err
	}
	switch {
	case !planned:
		s.leaveOut("merge", "the pull request has no successful plan, so it would not be merged")
	default:
		if err := s.merge(ctx); err != nil {
			return err
		}
	}
	return s.badFile(ctx)
}

// today deploys what is committed now, so that the proposal has something to be
// compared with. It is no question, so its gates are open.
func (s *rehearsal) today(ctx context.Context) error {
	if s.setup.reviewed() {
		return s.todayReviewed(ctx)
	}
	s.open("Where you are today", "What stands on the default branch is deployed first. The rehearsal approves this by itself.")
	head, err := s.setup.customer.Head(s.branch())
	if err != nil {
		return err
	}
	x, err := s.push(ctx, "", head, ApproveYes)
	if err != nil {
		return err
	}
	s.conclude("deployed", x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone, x)
	return nil
}

// todayReviewed is today for a manager that applies only what a pull request has
// shown: a push of its own would be refused.
func (s *rehearsal) todayReviewed(ctx context.Context) error {
	s.open("Where you are today", "What is committed is deployed first, by a pull request and its merge, since the manager applies only what was reviewed. The rehearsal approves this by itself.")
	run, number, err := s.openPull("infra-today", "Add "+s.setup.file(), s.setup.change.base)
	if err != nil {
		return err
	}
	x, err := s.exchange(ctx, run, ApproveYes)
	if err != nil {
		return err
	}
	good := x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone
	if good {
		if x, _, err = s.pushMerge(ctx, number, ApproveYes); err != nil {
			return err
		}
		good = x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone
	}
	s.conclude("deployed", good, x)
	return nil
}

// pushMerge merges a pull request, and plays the push that follows from it.
func (s *rehearsal) pushMerge(ctx context.Context, number int, approve Approve) (x *exchange, after string, err error) {
	before, err := s.setup.customer.Head(s.branch())
	if err != nil {
		return nil, "", err
	}
	if after, err = s.setup.customer.MergePull(number, hub.MergeCommit, developer); err != nil {
		return nil, "", err
	}
	s.narrator.say(story.Customer, story.Said, fmt.Sprintf("merges pull request #%d", number), short(after))
	x, err = s.push(ctx, before, after, approve)
	return x, after, err
}

// pullRequest proposes the change: every environment is planned, and nothing is
// applied.
func (s *rehearsal) pullRequest(ctx context.Context) (planned bool, err error) {
	s.open("Pull request", "The customer proposes a change of "+s.setup.file()+". Every environment is planned, nothing is applied.")
	run, number, err := s.openPull("infra-change", "Change "+s.setup.file(), s.setup.change.head)
	if err != nil {
		return false, err
	}
	x, err := s.exchange(ctx, run, s.opts.Approve)
	if err != nil {
		return false, err
	}
	if err := s.showComment(number); err != nil {
		return false, err
	}
	good := x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone
	s.conclude("planned, with a comment and statuses", good && s.commented(number), x)
	s.number = number
	return good, nil
}

// merge applies staging, passes the gate of production and applies it; then a
// second push shows that nothing is left to do.
func (s *rehearsal) merge(ctx context.Context) error {
	s.open("Merge", "The merge is planned again on the merged commit. Each environment is applied in order, behind its gate; the outputs come back.")
	x, after, err := s.pushMerge(ctx, s.number, s.opts.Approve)
	if err != nil {
		return err
	}
	if err := s.showComment(s.number); err != nil {
		return err
	}
	s.showOutputs(x)
	if x.rejected() != "" {
		s.conclude("stopped at the gate, with a final status", x.state(pipeline.StatusFailure) && x.trigger.exit == 1, x)
		s.leaveOut("second push", x.rejected()+" was not approved, so a push would ask for it again")
		return nil
	}
	applied := x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone
	s.conclude("applied, outputs handed back", applied && s.handedBack(x), x)
	if !applied {
		s.leaveOut("second push", "the merge was not applied")
		return nil
	}
	return s.nothingNew(ctx, after)
}

// nothingNew pushes a comment in variables.yml: another file, the same meaning.
// What the branch may not apply is planned as before. Then a property is changed.
func (s *rehearsal) nothingNew(ctx context.Context, before string) error {
	lead := "A comment in " + s.setup.file() + " changes the file and not its meaning: every plan is empty"
	if held := s.held(); len(held) > 0 {
		lead += ", except where " + s.branch() + " may not apply (" + strings.Join(held, ", ") + ")"
	}
	s.open("Second push", lead+".")
	content := commented(s.setup.change.head)
	after, err := s.setup.customer.Commit(s.branch(), hub.Change{Files: map[string]hub.File{s.setup.file(): {Content: content}}, Message: "Explain " + s.setup.file(), Author: developer})
	if err != nil {
		return err
	}
	s.narrator.say(story.Customer, story.Said, "pushes a comment in "+s.setup.file(), short(after), story.Part{Kind: story.Diff, Title: s.setup.file(), Text: diff(s.setup.change.head, content)})
	x, err := s.push(ctx, before, after, s.opts.Approve)
	if err != nil {
		return err
	}
	s.conclude("no changes", nothingToApply(x.manager) && x.state(pipeline.StatusSuccess), x)
	return s.switchOn(ctx, after)
}

// nothingToApply: every target ended, and none that may be applied had
// anything to apply.
func nothingToApply(m *managerRun) bool {
	if m == nil || len(m.outcomes) == 0 {
		return false
	}
	for name, outcome := range m.outcomes {
		held := outcome == string(pipeline.OutcomePlanned) && !slices.Contains(m.applies, name)
		if !held && outcome != string(pipeline.OutcomeNoChanges) {
			return false
		}
	}
	return true
}

// held are the environments that a push to the default branch only plans.
func (s *rehearsal) held() []string {
	var out []string
	for _, rule := range s.setup.who.Manager.Environments {
		if s.setup.who.Allows(rule.Name) && !rule.Admits(s.branch(), s.branch()) {
			out = append(out, string(rule.Name))
		}
	}
	return out
}

// badFile proposes a file that cannot be right: the customer's own run answers,
// and nothing is sent.
func (s *rehearsal) badFile(ctx context.Context) error {
	s.open("A mistake", "A pull request in which a key of "+s.setup.file()+" is written twice. The customer's own run reports the line and what to do.")
	content, key := broken(s.setup.change.head)
	run, _, err := s.openPull("infra-mistake", fmt.Sprintf("Set %s a second time", key), content)
	if err != nil {
		return err
	}
	x, err := s.exchange(ctx, run, ApproveNo)
	if err != nil {
		return err
	}
	placed := slices.ContainsFunc(x.trigger.annotations, func(a runner.Annotation) bool {
		return a.Level == "error" && a.File == s.setup.file() && a.Line != ""
	})
	s.conclude("rejected with file and line", x.trigger.exit == exitRejected && placed && x.state(pipeline.StatusFailure), x)
	return nil
}

// push is a push to the default branch and all that follows from it.
func (s *rehearsal) push(ctx context.Context, before, after string, approve Approve) (*exchange, error) {
	event, err := s.setup.customer.PushEvent(s.branch(), before, after, developer)
	if err != nil {
		return nil, err
	}
	run, err := s.setup.customer.StartRun(hub.NewRun{Event: "push", Path: s.setup.customerFile, HeadSHA: after, HeadBranch: s.branch(), Actor: developer})
	if err != nil {
		return nil, err
	}
	return s.exchange(ctx, &workflowRun{who: story.Customer, Run: &hubrun.Run{Hub: s.setup.hub, Repo: s.setup.customer, Record: run, Payload: event, SHA: after, Ref: "refs/heads/" + s.branch()}}, approve)
}

// openPull puts a new variables.yml on a branch and opens a pull request.
func (s *rehearsal) openPull(branch, title string, content []byte) (*workflowRun, int, error) {
	repo, file := s.setup.customer, s.setup.file()
	before, err := repo.Files(s.branch())
	if err != nil {
		return nil, 0, err
	}
	if _, err := repo.Commit(branch, hub.Change{Files: map[string]hub.File{file: {Content: content}}, Message: title, Author: developer}); err != nil {
		return nil, 0, err
	}
	number, err := repo.OpenPull(hub.NewPull{Title: title, Author: developer, Head: branch})
	if err != nil {
		return nil, 0, err
	}
	s.narrator.say(story.Customer, story.Said, fmt.Sprintf("opens pull request #%d", number), title,
		story.Part{Kind: story.Diff, Title: file, Text: diff(before[file].Content, content), Open: true})
	event, err := repo.PullEvent(number, "opened", developer)
	if err != nil {
		return nil, 0, err
	}
	pull, err := repo.Pull(number)
	if err != nil {
		return nil, 0, err
	}
	if pull.Merge == "" {
		return nil, 0, fmt.Errorf("pull request #%d of %s cannot be merged", number, repo.Slug())
	}
	run, err := repo.StartRun(hub.NewRun{Event: "pull_request", Path: s.setup.customerFile, HeadSHA: pull.Head, HeadBranch: branch, Actor: developer})
	if err != nil {
		return nil, 0, err
	}
	return &workflowRun{who: story.Customer, Run: &hubrun.Run{Hub: s.setup.hub, Repo: repo, Record: run, Payload: event, SHA: pull.Merge, Ref: fmt.Sprintf("refs/pull/%d/merge", number), Head: branch, Base: s.branch()}}, number, nil
}

func (s *rehearsal) branch() string { return s.setup.customer.DefaultBranch() }

// showComment lets the customer read the comment as it stands now.
func (s *rehearsal) showComment(number int) error {
	pull, err := s.pull(number)
	if err != nil {
		return err
	}
	for _, c := range pull.Comments {
		answer := fmt.Sprintf("version %d", s.watcher.versions[c.ID])
		s.narrator.say(story.Customer, story.Said, fmt.Sprintf("reads the comment on pull request #%d", number), answer,
			story.Part{Kind: story.Comment, Author: c.Author, Title: "commented", Markdown: withoutMarker(c.Body), Open: true})
	}
	return nil
}

func (s *rehearsal) pull(number int) (hub.PullSnapshot, error) {
	for _, p := range s.setup.customer.Snapshot().Pulls {
		if p.Number == number {
			return p, nil
		}
	}
	return hub.PullSnapshot{}, errors.New("the pull request is gone")
}

func (s *rehearsal) commented(number int) bool {
	pull, err := s.pull(number)
	return err == nil && len(pull.Comments) > 0
}

// handedBack compares the outputs that the customer's job got with those of its
// deployments.
func (s *rehearsal) handedBack(x *exchange) bool {
	printed := 0
	for _, d := range s.setup.customer.Snapshot().Deployments {
		if d.SHA == x.run.Record.HeadSHA {
			printed += len(outputsOf(d.Payload))
		}
	}
	return len(outputsByEnvironment(x.trigger.outputs["outputs"])) >= printed
}

// showOutputs lists what the customer's later steps get.
func (s *rehearsal) showOutputs(x *exchange) {
	rows := outputsByEnvironment(x.trigger.outputs["outputs"])
	if len(rows) == 0 {
		return
	}
	var shown []string
	for _, row := range rows {
		shown = append(shown, strings.Join(row[:2], "."))
	}
	s.narrator.say(story.Customer, story.Done, "has the outputs", strings.Join(shown, ", "),
		story.Part{Kind: story.Table, Title: "Outputs of the trigger step", Rows: append([][]string{{"Environment", "Output", "Value"}}, rows...)})
}
