package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/content"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// managerFile reads metapipe.yml of the manager's default branch.
type managerFile func(context.Context) (pipeline.Manager, error)

// managerFileOnce reads it once, whoever asks first.
func managerFileOnce(manager *github.Client, slug pipeline.Slug) managerFile {
	var once sync.Once
	var m pipeline.Manager
	var err error
	return func(ctx context.Context) (pipeline.Manager, error) {
		once.Do(func() {
			var file pipeline.File
			if file, err = manager.BranchFile(ctx, slug, defaultBranch, config.ManagerFile); err != nil {
				return
			}
			var problems pipeline.Problems
			m, problems = config.ParseManager(file.Content)
			err = problems.Err()
		})
		return m, err
	}
}

// contentOf compares the checkout with the manager's rules and the content type that
// the event says. Where metapipe.yml cannot be read, nothing is compared.
func (s triggering) contentOf(read managerFile, in intake.TriggerInput, customerDir string) func(context.Context) (intake.ContentAnswer, error) {
	return func(ctx context.Context) (intake.ContentAnswer, error) {
		m, err := read(ctx)
		if err != nil {
			s.logUnread(in, "the manager's rules about the content of this repository", "its files were not checked here", err)
			return intake.ContentAnswer{}, ctx.Err()
		}
		answer, err := s.compareContent(ctx, m, in, customerDir)
		if err != nil {
			return answer, err
		}
		return answer, s.annotateContent(answer.Checked) // now, and not after the wait for the end
	}
}

// logUnread says that something of the manager could not be read. An inbox without copies is no fault.
func (s triggering) logUnread(in intake.TriggerInput, what, so string, err error) {
	if in.Inbox != (pipeline.Slug{}) && pipeline.NotVisible(err) {
		s.app.logf("GitHub shows no copy of %s in the inbox %s, so %s", what, in.Inbox, so)
		return
	}
	s.app.logf("%s could not be read, so %s: %v", what, so, err)
}

func (s triggering) compareContent(ctx context.Context, m pipeline.Manager, in intake.TriggerInput, customerDir string) (intake.ContentAnswer, error) {
	check := content.Check{Path: in.Path}
	if m.Properties != nil {
		check.Name = m.Properties.Names[pipeline.MeaningContent]
	}
	var answer intake.ContentAnswer
	if properties := in.Event.Properties; check.Name != "" {
		check.Value = properties.Get(check.Name)
		if !properties.Known() {
			check.Unread = "the event does not say which custom properties the repository has"
		}
		if t, _ := pipeline.ReadContentType(check.Value); t != "" && !t.HasInfra() {
			answer.NoInfra = fmt.Sprintf("property %s is %s, so this repository asks for no infrastructure", check.Name, t)
		}
	}
	if m.Content == nil {
		return answer, nil
	}
	check.Rules = *m.Content
	result, err := check.Run(ctx, customerDir)
	if err != nil {
		return answer, err
	}
	answer.Checked = &result
	return answer, nil
}

// assumedContent is the look of a run without secrets, which cannot read metapipe.yml:
// where the property has its usual name, the default rules are applied, and nothing fails.
func (s triggering) assumedContent(in intake.TriggerInput, customerDir string) func(context.Context) (intake.ContentAnswer, error) {
	return func(ctx context.Context) (intake.ContentAnswer, error) {
		properties, rules := pipeline.DefaultPropertyRules(), pipeline.DefaultContentRules()
		if in.Event.Properties.Get(properties.Names[pipeline.MeaningContent]).Form == pipeline.PropertyUnset {
			return intake.ContentAnswer{}, nil
		}
		answer, err := s.compareContent(ctx, pipeline.Manager{Properties: &properties, Content: &rules}, in, customerDir)
		answer.NoInfra = "" // whether the manager uses the property is not known
		if answer.Checked != nil {
			answer.Checked.Assumed = "this run has no secrets, so it cannot read those of the manager"
		}
		return answer, err
	}
}

// annotateContent shows findings at their files. Those that are enforced are shown with
// the error of the job.
func (s triggering) annotateContent(c *pipeline.ContentResult) error {
	if c == nil || c.Fails() {
		return nil
	}
	problems := c.Problems
	if c.Unknown != "" {
		problems = append(problems, pipeline.Problem{Rule: "content-unknown", Message: "the files were not compared with the content type: " + c.Unknown, Warning: true})
	}
	return s.runner.Annotate(problems)
}
