package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// driftTime bounds a detection where metapipe.yml does not.
const driftTime = 15 * time.Minute

// drift is what differs between a stack and its resources.
func (e *Engine) drift(ctx context.Context, job pipeline.Job, id string) ([]pipeline.ResourceChange, error) {
	limit := job.Customer.Manager.Limits.PlanTimeout
	if limit <= 0 {
		limit = driftTime
	}
	ctx, cancel := process.WithLimit(ctx, "plan", limit)
	defer cancel()
	found, err := e.detect(ctx, job, id)
	if err != nil && ctx.Err() != nil {
		err = process.Stopped(ctx, job.Target(), "plan", "")
	}
	return found, err
}

func (e *Engine) detect(ctx context.Context, job pipeline.Job, id string) ([]pipeline.ResourceChange, error) {
	w, err := e.open(ctx, job)
	defer w.close()
	if err != nil {
		return nil, err
	}
	if w.api, err = e.connect(ctx, job); err != nil {
		return nil, err
	}
	begun, err := w.api.DetectStackDrift(ctx, &cfn.DetectStackDriftInput{StackName: &id})
	if err != nil {
		return nil, w.refused("look for drift of the stack "+w.name(), err)
	}
	if err := w.detected(ctx, str(begun.StackDriftDetectionId)); err != nil {
		return nil, err
	}
	var found []pipeline.ResourceChange
	in := &cfn.DescribeStackResourceDriftsInput{StackName: &id, MaxResults: aws.Int32(100),
		StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{types.StackResourceDriftStatusModified, types.StackResourceDriftStatusDeleted}}
	for {
		out, err := w.api.DescribeStackResourceDrifts(ctx, in)
		if err != nil {
			return nil, w.refused("read the drift of the stack "+w.name(), err)
		}
		for _, r := range out.StackResourceDrifts {
			found = append(found, w.drifted(r))
		}
		if str(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Address < found[j].Address })
	p := pipeline.Plan{Drift: found}
	w.filter.Plan(&p)
	return p.Drift, nil
}

// detected waits for the end of a detection. One that failed for some resources says nothing of them, so
// that the target is not known to be in order.
func (w *workspace) detected(ctx context.Context, detection string) error {
	for look := 0; ; look++ {
		if err := w.api.wait(ctx, look); err != nil {
			return err
		}
		out, err := w.api.DescribeStackDriftDetectionStatus(ctx, &cfn.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: &detection})
		if err != nil {
			return w.refused("look for drift of the stack "+w.name(), err)
		}
		switch out.DetectionStatus {
		case types.StackDriftDetectionStatusDetectionInProgress:
		case types.StackDriftDetectionStatusDetectionComplete:
			return nil
		default:
			return &pipeline.FailedError{Message: fmt.Sprintf("CloudFormation could not look for drift of %s (%s): %s", w.job.Target(), out.DetectionStatus, w.filter.Text(redact.Clean(str(out.DetectionStatusReason)))),
				Next: pipeline.ProviderNext, Operator: "let the role of the job read the resources of the stack"}
		}
	}
}

// drifted is one resource that is not as the stack says: before as it should be, after as it is.
func (w *workspace) drifted(r types.StackResourceDrift) pipeline.ResourceChange {
	change := pipeline.ResourceChange{Address: redact.Clean(str(r.LogicalResourceId)), Type: redact.Clean(str(r.ResourceType)), Action: pipeline.ActionUpdate, Relevant: true}
	if r.StackResourceDriftStatus == types.StackResourceDriftStatusDeleted {
		change.Action = pipeline.ActionDelete
		return change
	}
	secret := w.template.resources[str(r.LogicalResourceId)].secret
	change.Attributes = jsonvalue.Differences(side(r.ExpectedProperties, secret), side(r.ActualProperties, secret), nil)
	if len(change.Attributes) == 0 {
		for _, d := range r.PropertyDifferences {
			change.Attributes = append(change.Attributes, pipeline.AttributeChange{Path: redact.Clean(str(d.PropertyPath)), Before: w.single(d.ExpectedValue, true), After: w.single(d.ActualValue, true)})
		}
	}
	return change
}

// side are the properties of a resource, which are JSON.
func side(properties *string, secret map[string]bool) jsonvalue.Side {
	decoded, err := jsonvalue.Decode(json.RawMessage(str(properties)))
	object, isObject := decoded.(map[string]any)
	if err != nil || !isObject {
		return jsonvalue.Side{}
	}
	sensitive := map[string]any{}
	for name, value := range object {
		sensitive[name], _ = marks(value, secret[name] || secretName(name))
	}
	return jsonvalue.Side{Value: object, Present: true, Sensitive: sensitive}
}
