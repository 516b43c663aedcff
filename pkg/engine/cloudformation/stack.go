package cloudformation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stack is one as it is now; the zero value is none.
type stack struct {
	id      string
	status  types.StackStatus
	reason  string
	changed time.Time // when it was created or updated last
	tags    map[string]string
	outputs []types.Output
	kept    bool // termination protection
}

// describe finds a stack by its name or ARN. One that is deleted is none.
func (w *workspace) describe(ctx context.Context, nameOrID string) (stack, error) {
	out, err := w.api.DescribeStacks(ctx, &cfn.DescribeStacksInput{StackName: &nameOrID})
	if isMissing(err) {
		return stack{}, nil
	}
	if err != nil {
		return stack{}, w.refused("describe the stack "+w.name(), err)
	}
	if len(out.Stacks) != 1 {
		return stack{}, w.failed("describe the stack", fmt.Errorf("CloudFormation gives %d stacks for %s", len(out.Stacks), nameOrID))
	}
	s := out.Stacks[0]
	found := stack{id: str(s.StackId), status: s.StackStatus, reason: redact.Clean(str(s.StackStatusReason)), outputs: s.Outputs, kept: aws.ToBool(s.EnableTerminationProtection), tags: map[string]string{}}
	for _, at := range []*time.Time{s.CreationTime, s.LastUpdatedTime} {
		if at != nil && at.After(found.changed) {
			found.changed = *at
		}
	}
	for _, t := range s.Tags {
		found.tags[str(t.Key)] = str(t.Value)
	}
	if found.id == "" || found.status == "" || found.changed.IsZero() {
		return stack{}, w.failed("describe the stack", fmt.Errorf("CloudFormation says neither id nor status of %s", nameOrID))
	}
	return found, nil
}

// built reports whether the stack was ever executed.
func (s stack) built() bool {
	return s.id != "" && s.status != types.StackStatusReviewInProgress && s.status != types.StackStatusDeleteComplete
}

// busy reports whether an operation works on it.
func (s stack) busy() bool {
	return s.status != types.StackStatusReviewInProgress && strings.HasSuffix(string(s.status), "_IN_PROGRESS")
}

// version is that of the state: the unique part of the id, and the time of the last update in milliseconds.
func (s stack) version() pipeline.StateVersion {
	if !s.built() {
		return pipeline.StateVersion{}
	}
	return pipeline.StateVersion{Lineage: s.id[strings.LastIndexByte(s.id, '/')+1:], Serial: uint64(max(s.changed.UnixMilli(), 0))}
}

// record is what there is of the state of the target.
func (w *workspace) record(ctx context.Context, s stack) (pipeline.StateRecord, error) {
	if !s.built() {
		return pipeline.StateRecord{}, nil
	}
	resources, err := w.resources(ctx, s)
	return pipeline.StateRecord{StateVersion: s.version(), Resources: len(resources)}, err
}

// resources are those that the stack has.
func (w *workspace) resources(ctx context.Context, s stack) ([]types.StackResourceSummary, error) {
	var all []types.StackResourceSummary
	pages := cfn.NewListStackResourcesPaginator(w.api, &cfn.ListStackResourcesInput{StackName: &s.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, w.refused("list the resources of the stack "+w.name(), err)
		}
		for _, r := range page.StackResourceSummaries {
			if r.ResourceStatus != types.ResourceStatusDeleteComplete {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// check refuses a stack that is not of the target, that something works on, or that cannot be updated.
func (w *workspace) check(s stack) error {
	if !s.built() {
		return nil
	}
	fail := func(message, operator string) error {
		return &pipeline.FailedError{Message: fmt.Sprintf("the stack %s of %s %s", w.name(), w.job.Target(), message), Next: pipeline.ProviderNext, Operator: operator}
	}
	if s.busy() {
		return fail(fmt.Sprintf("is busy (%s since %s): CloudFormation lets one operation at a time work on it", s.status, s.changed.UTC().Format(time.RFC3339)),
			"wait until that operation has ended, and run this again; there is no lock to release")
	}
	if of := s.tags[pipeline.TagTarget]; of != w.job.Target().String() {
		return fail(fmt.Sprintf("is not known to be of this target: its tag %s is %s", pipeline.TagTarget, pipeline.Quote(of)),
			fmt.Sprintf("look who made it; where it is the target's, give it the tag %s=%s", pipeline.TagTarget, w.job.Target()))
	}
	why := ""
	if s.reason != "" {
		why = ": " + w.filter.Text(s.reason)
	}
	switch s.status {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed, types.StackStatusDeleteFailed:
		if w.job.Destroy {
			return nil
		}
		return fail(fmt.Sprintf("can only be deleted (%s%s)", s.status, why),
			fmt.Sprintf("delete it with `aws cloudformation delete-stack --stack-name %s --region %s`, or with a destroy of the target; then start the request again", w.name(), w.api.region))
	case types.StackStatusUpdateRollbackFailed, types.StackStatusImportRollbackFailed:
		if w.job.Destroy {
			return nil
		}
		return fail(fmt.Sprintf("could not be rolled back (%s%s)", s.status, why),
			fmt.Sprintf("correct what the events of the stack say, and run `aws cloudformation continue-update-rollback --stack-name %s --region %s`; then start the request again", w.name(), w.api.region))
	}
	return nil
}

// State implements pipeline.StateReader. The size of a stack is not known: 1 stands for one that is there.
func (e *Engine) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	w := e.workspaceOf(job)
	var err error
	if w.api, err = e.connect(ctx, job); err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	s, err := w.describe(ctx, w.name())
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	record, err := w.record(ctx, s)
	if err != nil || !s.built() {
		return record, 0, err
	}
	return record, 1, nil
}

// FindLock implements pipeline.LockFinder: an operation that works on the stack, whoever has begun it. The job that did may be
// gone since.
func (e *Engine) FindLock(ctx context.Context, job pipeline.Job) (*pipeline.Lock, error) {
	w := e.workspaceOf(job)
	var err error
	if w.api, err = e.connect(ctx, job); err != nil {
		return nil, err
	}
	s, err := w.describe(ctx, w.name())
	if err != nil || !s.busy() {
		return nil, err
	}
	return &pipeline.Lock{ID: s.id[strings.LastIndexByte(s.id, '/')+1:], Operation: string(s.status), Who: "CloudFormation", Created: s.changed, Ends: true}, nil
}
