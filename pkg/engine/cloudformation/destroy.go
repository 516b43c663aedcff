package cloudformation

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// planDestroy lists what a deletion of the stack deletes. CloudFormation has no preview of it: the apply deletes at
// most this.
func (w *workspace) planDestroy(ctx context.Context, s stack, planned *pipeline.Planned) error {
	p := &planned.Plan
	p.Exactness, p.Complete, p.Compared = pipeline.ExactnessBound, true, w.job.Compared
	file := planFile{Destroy: true, Actions: map[string]string{}}
	if s.built() {
		if s.kept {
			return &pipeline.RefusedError{Reason: pipeline.ReasonNoDestroy, Next: pipeline.ProviderNext,
				Message:  fmt.Sprintf("the stack %s of %s has termination protection, so that it cannot be destroyed", w.name(), w.job.Target()),
				Operator: fmt.Sprintf("take it away with `aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name %s --region %s`", w.name(), w.api.region)}
		}
		file.StackID = s.id
		resources, err := w.resources(ctx, s)
		if err != nil {
			return err
		}
		policies := w.deletionPolicies(ctx, s, p)
		for _, r := range resources {
			change := pipeline.ResourceChange{Address: redact.Clean(str(r.LogicalResourceId)), Type: redact.Clean(str(r.ResourceType)), Action: pipeline.ActionDelete}
			switch policy := policies[str(r.LogicalResourceId)]; {
			case strings.HasPrefix(policy, "Retain") && policy != "RetainExceptOnCreate", policy == "RetainExceptOnCreate":
				change.Action, change.Reason = pipeline.ActionForget, "deletion policy"
			case policy == "Snapshot":
				change.Reason = "snapshot"
			}
			p.Changes = append(p.Changes, change)
			file.Actions[change.Address] = string(change.Action)
		}
		if len(p.Changes) == 0 {
			p.Unexplained = true // a stack without resources is deleted, too
		}
		w.note(p, "CloudFormation has no preview of a deletion: these are the resources that the stack has", "")
	}
	w.finish(p)
	parts := [][]byte{}
	for _, c := range p.Changes {
		parts = append(parts, []byte(c.Address), []byte(c.Type), []byte(c.Action))
	}
	planned.Fingerprint = w.fingerprint(parts...)
	file.Changed = p.HasChanges()
	w.evidence[evidenceStackID], w.evidence[evidenceValues] = file.StackID, w.sumValues()
	var err error
	planned.Artifacts, err = w.writePlan(file)
	return err
}

// deletionPolicies are those of the template that the stack was built from, by logical ID.
func (w *workspace) deletionPolicies(ctx context.Context, s stack, p *pipeline.Plan) map[string]string {
	policies := map[string]string{}
	out, err := w.api.GetTemplate(ctx, &cfn.GetTemplateInput{StackName: &s.id, TemplateStage: types.TemplateStageProcessed})
	var deployed template
	if err == nil {
		deployed, err = parseTemplate([]byte(str(out.TemplateBody)))
	}
	if err != nil {
		w.note(p, "which resources a DeletionPolicy keeps is not known: "+said(err), "")
		return policies
	}
	for name, r := range deployed.resources {
		policies[name] = r.deletion
	}
	return policies
}

// removeUnbuilt deletes the change sets of plans that were never applied, and the stack that was made for them.
func (w *workspace) removeUnbuilt(ctx context.Context, s stack) error {
	if s.id == "" {
		return nil
	}
	sets, err := w.changeSets(ctx, s)
	if err != nil {
		return w.refused("list the change sets of the stack "+w.name(), err)
	}
	for _, c := range sets {
		if !strings.HasPrefix(str(c.ChangeSetName), changeSetPrefix) {
			w.log.Print(fmt.Sprintf("The empty stack %s stays: it has the change set %s, which metapipe has not made", w.name(), redact.Clean(str(c.ChangeSetName))))
			continue
		}
		if _, err := w.api.DeleteChangeSet(ctx, &cfn.DeleteChangeSetInput{ChangeSetName: c.ChangeSetId}); err != nil && !isMissing(err) {
			return w.refused("delete a change set of the stack "+w.name(), err)
		}
	}
	if err := w.removeEmpty(ctx); err != nil && !isMissing(err) {
		return w.refused("delete the empty stack "+w.name(), err)
	}
	return nil
}

// remove starts the deletion of the stack.
func (w *workspace) remove(ctx context.Context, file planFile, token string) error {
	in := &cfn.DeleteStackInput{StackName: aws.String(file.StackID), ClientRequestToken: &token}
	if role := w.job.Tool().CloudFormation.Role; role != "" {
		in.RoleARN = &role
	}
	_, err := w.api.DeleteStack(ctx, in)
	return err
}
