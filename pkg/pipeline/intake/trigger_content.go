package intake

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ContentAnswer is what the checkout and the event say about the content of the
// repository. The customer's own run says it, to the customer: the manager reads the
// property itself, and believes nothing of this.
type ContentAnswer struct {
	// Checked is the comparison with the manager's rules; nil: there are none.
	Checked *pipeline.ContentResult
	// NoInfra says why the repository asks for no infrastructure; empty: it may ask.
	NoInfra string
}

// content compares the files with the content type and says so in a status of its own.
func (t *Trigger) content(ctx context.Context, in TriggerInput) (ContentAnswer, error) {
	if t.CheckContent == nil {
		return ContentAnswer{}, nil
	}
	answer, err := t.CheckContent(ctx)
	if err != nil || answer.Checked == nil || in.Event.Fork {
		return answer, err
	}
	state, description := answer.Checked.Status()
	err = t.post(ctx, in, pipeline.Status{Context: in.request().ContentContext(), State: state, Description: description, TargetURL: in.Run.URL})
	if in.Event.Dependabot && err != nil && mayNot(err) { // its token may be one that only reads
		t.Logf("could not post the status of the content type: %v", err)
		err = nil
	}
	return answer, err
}

// asksNothing answers a repository without infrastructure.
func (t *Trigger) asksNothing(ctx context.Context, in TriggerInput, answer ContentAnswer) (TriggerResult, error) {
	why := "Nothing to do: " + answer.NoInfra
	err := t.post(ctx, in, pipeline.Status{Context: in.request().StatusContext(pipeline.Target{}), State: pipeline.StatusSuccess,
		Description: pipeline.Clip(why, pipeline.StatusLimit), TargetURL: in.Run.URL})
	if err == nil {
		err = answer.failure()
	}
	return TriggerResult{Skipped: why, Outcome: pipeline.OutcomeNoChanges, Content: answer.Checked}, err
}

// failure is the error of findings that are enforced; nil where there are none.
func (a ContentAnswer) failure() error {
	if a.Checked == nil || !a.Checked.Fails() {
		return nil
	}
	_, description := a.Checked.Status()
	return &pipeline.RejectedError{Reason: pipeline.ReasonContent, Problems: a.Checked.Problems,
		Message: "the files do not fit the content type of the repository: " + description, Next: "the summary of this job lists the files"}
}

// wrongContent refuses to send a request from a repository whose files break the rules.
func (t *Trigger) wrongContent(ctx context.Context, in TriggerInput, err error) error {
	s := pipeline.Status{Context: in.request().StatusContext(pipeline.Target{}), State: pipeline.StatusFailure, TargetURL: in.Run.URL,
		Description: "Not sent: the files do not fit the content type of the repository; see " + in.request().ContentContext()}
	if postErr := t.post(ctx, in, s); postErr != nil {
		t.Logf("could not post the status: %v", postErr)
	}
	return err
}
