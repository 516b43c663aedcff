package cloudformation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// changeSetPrefix begins the names of our change sets.
const changeSetPrefix = "metapipe-"

// cleanupTime bounds what is done after a plan, also of one that was stopped.
const cleanupTime = 30 * time.Second

// changeSet is one that CloudFormation has made.
type changeSet struct {
	id, stackID string
	execution   types.ExecutionStatus
	changes     []types.Change
	nested      []nestedChanges // those of nested stacks, the outer ones first
	tags        []types.Tag     // that the stack has then
	// empty: CloudFormation says that there is nothing to change.
	empty bool
}

// nestedChanges are those of a nested stack.
type nestedChanges struct {
	prefix  string // of the names of its resources, such as "Parent.Child."
	changes []types.Change
}

// unique is an id that no other run has.
func unique() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// create makes a change set for a stack as it is, and waits until it is there.
func (w *workspace) create(ctx context.Context, s stack) (changeSet, error) {
	rule := w.job.Tool().CloudFormation
	in := &cfn.CreateChangeSetInput{
		StackName: aws.String(w.name()), ChangeSetName: aws.String(changeSetPrefix + unique()), ClientToken: aws.String(unique()),
		ChangeSetType: types.ChangeSetTypeUpdate, Tags: w.tags(), Parameters: w.parameters(),
		Description: aws.String("metapipe: " + w.job.Target().String()),
	}
	if !s.built() {
		in.ChangeSetType = types.ChangeSetTypeCreate
	}
	if err := w.setTemplate(in); err != nil {
		return changeSet{}, err
	}
	for _, c := range rule.Capabilities {
		in.Capabilities = append(in.Capabilities, types.Capability(c))
	}
	if rule.Role != "" {
		in.RoleARN = &rule.Role
	}
	if rule.ImportExisting {
		in.ImportExistingResources = aws.Bool(true)
	}
	for _, r := range w.template.resources {
		if r.kind == "AWS::CloudFormation::Stack" {
			in.IncludeNestedStacks = aws.Bool(true)
		}
	}
	out, err := w.api.CreateChangeSet(ctx, in)
	if err != nil {
		// It may be there all the same, where the answer was lost.
		w.abandon(ctx, changeSet{id: str(in.ChangeSetName), stackID: w.name()}, s)
		return changeSet{}, w.refused("create a change set of the stack "+w.name(), err)
	}
	made := changeSet{id: str(out.Id), stackID: str(out.StackId)}
	c, err := w.await(ctx, made)
	if err != nil || c.empty {
		w.abandon(ctx, made, s)
	}
	return c, err
}

// setTemplate passes the template on.
func (w *workspace) setTemplate(in *cfn.CreateChangeSetInput) error {
	if size := len(w.template.raw); size > maxInline {
		return pipeline.Usagef("the template %s has %d bytes, and CloudFormation takes %d with a request", w.template.file, size, maxInline).
			Nextf("make it smaller, for example with a stack of its own for a part of it")
	}
	in.TemplateBody = aws.String(string(w.template.raw))
	return nil
}

func (w *workspace) tags() []types.Tag {
	all := map[string]string{}
	for key, value := range w.job.Tool().CloudFormation.Tags {
		all[key] = pipeline.Template(value).Fill(w.job.Target(), "")
	}
	all[pipeline.TagTarget] = w.job.Target().String()
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(all[key])})
	}
	return tags
}

func (w *workspace) parameters() []types.Parameter {
	var all []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(w.values)) {
		all = append(all, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(w.values[name].text)})
	}
	return all
}

// await waits until CloudFormation has made a change set, and reads it.
func (w *workspace) await(ctx context.Context, made changeSet) (changeSet, error) {
	for look := 0; ; look++ {
		if err := w.api.wait(ctx, look); err != nil {
			return changeSet{}, err
		}
		out, err := w.api.DescribeChangeSet(ctx, &cfn.DescribeChangeSetInput{ChangeSetName: &made.id})
		if err != nil {
			return changeSet{}, w.refused("describe the change set of the stack "+w.name(), err)
		}
		switch out.Status {
		case types.ChangeSetStatusCreatePending, types.ChangeSetStatusCreateInProgress:
			continue
		case types.ChangeSetStatusCreateComplete:
			return w.read(ctx, made.id)
		}
		reason := redact.Clean(str(out.StatusReason))
		if out.Status == types.ChangeSetStatusFailed && saysEmpty(reason) {
			return changeSet{id: made.id, stackID: made.stackID, empty: true}, nil
		}
		return changeSet{}, w.noChangeSet(out.Status, reason)
	}
}

// saysEmpty reports whether a change set that failed says that there is nothing to change. There is no
// code for it.
func saysEmpty(reason string) bool {
	return strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed")
}

// noChangeSet is the error of a change set that could not be made.
func (w *workspace) noChangeSet(status types.ChangeSetStatus, reason string) error {
	reason = w.filter.Text(reason)
	d, found := w.ofParameter(reason)
	if !found {
		d = pipeline.Diagnostic{Summary: reason, Where: w.at(1)}
	}
	w.log.Diagnostic(d)
	failed := &pipeline.FailedError{Message: fmt.Sprintf("CloudFormation could not make the change set of %s (%s): %s", w.job.Target(), status, reason), Next: pipeline.ProviderNext,
		Operator: "correct what CloudFormation says, in " + w.template.file, Diagnostics: []pipeline.Diagnostic{d}}
	if d.Source.File != "" {
		failed.Message += fmt.Sprintf(" (%s)", d.Source)
		failed.Next, failed.Operator = d.Remedy, ""
	}
	return failed
}

// maxNested bounds how deep stacks lie in each other.
const maxNested = 10

// read reads a whole change set with those of nested stacks, and with the values of properties.
func (w *workspace) read(ctx context.Context, id string) (changeSet, error) {
	c, err := w.readOne(ctx, id)
	if err != nil {
		return c, err
	}
	next := func(prefix string, changes []types.Change) error {
		for _, change := range changes {
			r := change.ResourceChange
			if r == nil || str(r.ChangeSetId) == "" {
				continue
			}
			inner := prefix + str(r.LogicalResourceId) + "."
			if strings.Count(inner, ".") > maxNested {
				return w.failed("read the change set of a nested stack", fmt.Errorf("%s lies more than %d stacks deep", inner, maxNested))
			}
			of, err := w.readOne(ctx, *r.ChangeSetId)
			if err != nil {
				return w.failed("read the change set of a nested stack", err)
			}
			c.nested = append(c.nested, nestedChanges{inner, of.changes})
		}
		return nil
	}
	err = next("", c.changes)
	for i := 0; i < len(c.nested) && err == nil; i++ {
		err = next(c.nested[i].prefix, c.nested[i].changes)
	}
	return c, err
}

// readOne reads all pages of one change set.
func (w *workspace) readOne(ctx context.Context, id string) (changeSet, error) {
	c := changeSet{}
	in := &cfn.DescribeChangeSetInput{ChangeSetName: &id, IncludePropertyValues: aws.Bool(true)}
	for {
		out, err := w.api.DescribeChangeSet(ctx, in)
		if err != nil {
			if isMissing(err) {
				return c, errGone
			}
			return c, w.refused("describe the change set of the stack "+w.name(), err)
		}
		c.id, c.stackID, c.execution, c.tags = str(out.ChangeSetId), str(out.StackId), out.ExecutionStatus, out.Tags
		c.changes = append(c.changes, out.Changes...)
		if str(out.NextToken) == "" {
			return c, nil
		}
		in.NextToken = out.NextToken
	}
}

// errGone is a change set that is not there.
var errGone = errors.New("the change set is gone")

// abandon deletes a change set that nothing will execute, and the stack that was only made for it. before is
// the stack as it was before. Also a plan that was stopped leaves nothing behind.
func (w *workspace) abandon(ctx context.Context, c changeSet, before stack) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	in := &cfn.DeleteChangeSetInput{ChangeSetName: &c.id}
	if !strings.HasPrefix(c.id, "arn:") {
		in.StackName = aws.String(w.name())
	}
	_, err := w.api.DeleteChangeSet(ctx, in)
	if err == nil && !before.built() {
		err = w.removeEmpty(ctx)
	}
	if err != nil && !isMissing(err) {
		w.log.Print(fmt.Sprintf("The change set %s of the stack %s could not be deleted: %s", c.id, w.name(), w.filter.Text(said(err))))
	}
}

// removeEmpty deletes a stack that was made for change sets alone, once it has none.
func (w *workspace) removeEmpty(ctx context.Context) error {
	for look := 0; ; look++ {
		s, err := w.describe(ctx, w.name())
		if err != nil || s.id == "" || s.built() {
			return err
		}
		sets, err := w.changeSets(ctx, s)
		if err != nil {
			return err
		}
		if len(sets) == 0 {
			_, err = w.api.DeleteStack(ctx, &cfn.DeleteStackInput{StackName: &s.id})
			return err
		}
		if !slices.ContainsFunc(sets, func(c types.ChangeSetSummary) bool { return isEnding(c.Status) }) {
			return nil // it is of another plan
		}
		if err := w.api.wait(ctx, look); err != nil {
			return err
		}
	}
}

func isEnding(s types.ChangeSetStatus) bool {
	return s == types.ChangeSetStatusDeletePending || s == types.ChangeSetStatusDeleteInProgress
}

// changeSets are all that a stack has.
func (w *workspace) changeSets(ctx context.Context, s stack) ([]types.ChangeSetSummary, error) {
	var all []types.ChangeSetSummary
	in := &cfn.ListChangeSetsInput{StackName: &s.id}
	for {
		out, err := w.api.ListChangeSets(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, c := range out.Summaries {
			if c.Status != types.ChangeSetStatusDeleteComplete {
				all = append(all, c)
			}
		}
		if str(out.NextToken) == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// removeExpired deletes our change sets that no apply accepts any more. Those of other runs are left alone
// as long as they may wait for an approval.
func (w *workspace) removeExpired(ctx context.Context, s stack) {
	ttl := w.job.Customer.Manager.Limits.PlanTTL
	if s.id == "" || ttl <= 0 {
		return
	}
	sets, err := w.changeSets(ctx, s)
	for _, c := range sets {
		if !strings.HasPrefix(str(c.ChangeSetName), changeSetPrefix) || c.CreationTime == nil || time.Since(*c.CreationTime) < ttl || isEnding(c.Status) {
			continue
		}
		_, deleteErr := w.api.DeleteChangeSet(ctx, &cfn.DeleteChangeSetInput{ChangeSetName: c.ChangeSetId})
		err = errors.Join(err, deleteErr)
	}
	if err != nil && ctx.Err() == nil {
		w.log.Print(fmt.Sprintf("Expired change sets of the stack %s could not be deleted: %s", w.name(), w.filter.Text(said(err))))
	}
}
