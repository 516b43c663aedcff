package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// patience is how many looks in a row may fail before the operation is given up: each of them was tried several
// times.
const patience = 3

// operation is what CloudFormation does to a stack after one request of ours.
type operation struct {
	w       *workspace
	stackID string
	token   string            // of the request: it is on each event of the operation
	actions map[string]string // what the plan says, by logical ID
	before  stack
	began   bool // an event of it was seen
	seen    map[string]bool
	order   []string // of the resources
	done    map[string]*pipeline.AppliedResource
	reasons []pipeline.Diagnostic
	// rolled: the rollback has begun, so that what resources report from here on is its doing.
	rolled bool
}

func (w *workspace) operate(before stack, id, token string, actions map[string]string) *operation {
	return &operation{w: w, stackID: id, token: token, actions: actions, before: before, seen: map[string]bool{}, done: map[string]*pipeline.AppliedResource{}}
}

// follow waits until the operation has ended, and returns the stack as it is then.
func (o *operation) follow(ctx context.Context) (stack, error) {
	failures := 0
	for look := 0; ; look++ {
		s, err := o.look(ctx)
		switch {
		case ctx.Err() != nil:
			return s, ctx.Err()
		case err != nil:
			if failures++; failures >= patience {
				return s, err
			}
		case o.ended(s):
			return s, o.events(ctx) // the last ones
		default:
			failures = 0
		}
		if err := o.w.api.wait(ctx, look); err != nil {
			return s, err
		}
	}
}

func (o *operation) look(ctx context.Context) (stack, error) {
	if err := o.events(ctx); err != nil {
		return stack{}, err
	}
	return o.w.describe(ctx, o.stackID)
}

// ended reports whether the stack is at rest after the operation. A stack that was not yet touched looks as it
// did before, and has no event of it.
func (o *operation) ended(s stack) bool {
	if s.status == types.StackStatusDeleteComplete || s.id == "" {
		return true
	}
	touched := o.began || s.version() != o.before.version() || s.status != o.before.status
	return touched && !s.busy() && s.status != types.StackStatusReviewInProgress
}

// events takes the events of the operation that are new, and no others.
func (o *operation) events(ctx context.Context) error {
	var fresh []types.StackEvent
	pages := cfn.NewDescribeStackEventsPaginator(o.w.api, &cfn.DescribeStackEventsInput{StackName: &o.stackID})
	for more := true; more && pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return o.w.refused("read the events of the stack "+o.w.name(), err)
		}
		for _, e := range page.StackEvents { // the newest first
			if o.seen[str(e.EventId)] || o.before.built() && e.Timestamp != nil && e.Timestamp.Before(o.before.changed.Add(-time.Second)) {
				more = false
				break
			}
			if str(e.ClientRequestToken) == o.token {
				fresh = append(fresh, e)
			}
		}
	}
	slices.Reverse(fresh)
	for _, e := range fresh {
		o.seen[str(e.EventId)] = true
		o.take(e)
	}
	return nil
}

// take takes one event, and says so in the log.
func (o *operation) take(e types.StackEvent) {
	o.began = true
	name, status := redact.Clean(str(e.LogicalResourceId)), string(e.ResourceStatus)
	reason := o.w.filter.Text(redact.Clean(str(e.ResourceStatusReason)))
	line := name + ": " + status
	if reason != "" {
		line += " (" + reason + ")"
	}
	o.w.log.Print(line)
	if str(e.PhysicalResourceId) == str(e.StackId) { // the stack itself
		o.rolled = o.rolled || strings.Contains(status, "ROLLBACK")
		if strings.HasSuffix(status, "_FAILED") && reason != "" {
			o.reasons = append(o.reasons, pipeline.Diagnostic{Summary: clip(name+": "+reason, 1000)})
		}
		return
	}
	if o.rolled && o.done[name] != nil && !strings.HasSuffix(status, "_FAILED") {
		return // what the rollback undoes is still what the operation began to change
	}
	d := o.done[name]
	if d == nil {
		d = &pipeline.AppliedResource{Address: o.w.filter.Name(name), Action: o.action(name, status)}
		o.done[name], o.order = d, append(o.order, name)
	}
	failed := strings.HasSuffix(status, "_FAILED")
	d.Unfinished = strings.HasSuffix(status, "_IN_PROGRESS")
	d.Failed = d.Failed || failed
	if failed {
		diagnostic := pipeline.Diagnostic{Summary: clip(name+": "+reason, 1000), Address: o.w.filter.Name(name), Where: o.w.at(o.w.template.resources[name].line)}
		if found, is := o.w.ofParameter(reason); is && found.Source.File != "" {
			diagnostic.Source, diagnostic.Exact, diagnostic.Remedy = found.Source, found.Exact, found.Remedy
		}
		if o.w.template.file == "" {
			diagnostic.Where = pipeline.Position{}
		}
		o.w.log.Diagnostic(diagnostic)
		o.reasons = append(o.reasons, diagnostic)
	}
}

// action is what the plan says of a resource, or else what CloudFormation says that it does.
func (o *operation) action(name, status string) pipeline.Action {
	if planned, known := o.actions[name]; known {
		return pipeline.Action(planned)
	}
	switch {
	case strings.HasPrefix(status, "CREATE"):
		return pipeline.ActionCreate
	case strings.HasPrefix(status, "DELETE"):
		return pipeline.ActionDelete
	}
	return pipeline.ActionUpdate
}

// applied are the resources in the order in which they were begun.
func (o *operation) applied() []pipeline.AppliedResource {
	done := []pipeline.AppliedResource{}
	for _, name := range o.order {
		done = append(done, *o.done[name])
	}
	return done
}

// stop asks CloudFormation to give up, where it can: an update can be cancelled, nothing else. It waits for the end, in
// bounded time, and says how the stack stands then.
func (o *operation) stop(ctx context.Context) (stack, string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.w.engine.options.WaitDelay)
	defer cancel()
	s, err := o.w.describe(ctx, o.stackID)
	goesOn := fmt.Sprintf("CloudFormation goes on with the stack %s", o.w.name())
	if err != nil {
		return s, goesOn + ": how it stands could not be read"
	}
	if s.status == types.StackStatusUpdateInProgress {
		if _, err := o.w.api.CancelUpdateStack(ctx, &cfn.CancelUpdateStackInput{StackName: &o.stackID, ClientRequestToken: aws.String(o.token)}); err != nil {
			o.w.log.Print(fmt.Sprintf("The update of the stack %s could not be cancelled: %s", o.w.name(), o.w.filter.Text(said(err))))
		} else {
			o.w.log.Print("CloudFormation was asked to cancel the update, and rolls it back")
		}
	} else {
		o.w.log.Print(fmt.Sprintf("CloudFormation cannot cancel this (%s): it goes on, and is waited for", s.status))
	}
	last, err := o.follow(ctx)
	if err != nil {
		if last.id != "" {
			s = last
		}
		return s, fmt.Sprintf("%s (%s), and the next plan waits for its end", goesOn, s.status)
	}
	return last, fmt.Sprintf("the stack %s is %s now", o.w.name(), last.status)
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " …"
}
