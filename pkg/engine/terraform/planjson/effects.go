package planjson

import (
	"cmp"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// invocationJSON is one element of action_invocations.
type invocationJSON struct {
	Address         string `json:"address"`
	ConfigValues    any    `json:"config_values"`
	ConfigSensitive any    `json:"config_sensitive"`
	ConfigUnknown   any    `json:"config_unknown"`
	Lifecycle       *struct {
		Resource  string `json:"triggering_resource_address"`
		Event     string `json:"action_trigger_event"`
		OnFailure string `json:"on_failure"`
	} `json:"lifecycle_action_trigger"`
}

// invoked reads an action that the apply invokes.
func (p *planReader) invoked() error {
	var document map[string]any
	if err := p.Decode(&document); err != nil {
		return err
	}
	return p.invocation("", document)
}

// deferredInvocation reads an action that the tool put off.
func (p *planReader) deferredInvocation() error {
	var d struct {
		Reason     string         `json:"reason"`
		Invocation map[string]any `json:"action_invocation"`
	}
	if err := p.Decode(&d); err != nil {
		return err
	}
	return p.invocation(cmp.Or(redact.Clean(d.Reason), "unknown"), d.Invocation)
}

// invocation notes an action with its arguments. The whole document goes into the
// fingerprint, so that what a later format adds to it counts too.
func (p *planReader) invocation(deferred string, document map[string]any) error {
	var v invocationJSON
	if err := jsonvalue.Reread(document, &v); err != nil {
		return err
	}
	config := changeBody{After: v.ConfigValues, AfterSensitive: v.ConfigSensitive, AfterUnknown: v.ConfigUnknown}
	config.secrets(p.secrets)
	if p.print != nil {
		p.print.invocation(deferred, document)
	}
	shown := pipeline.Invocation{Address: cmp.Or(v.Address, "(no address)"), Deferred: deferred}
	if v.ConfigSensitive == true {
		shown.Arguments = []pipeline.AttributeChange{{Path: "arguments", After: pipeline.Value{Sensitive: true}}}
	} else {
		shown.Arguments = config.attributes()
	}
	if v.Lifecycle != nil {
		shown.Event, shown.Resource, shown.OnFailure = v.Lifecycle.Event, v.Lifecycle.Resource, v.Lifecycle.OnFailure
	}
	p.plan.Invocations = append(p.plan.Invocations, shown)
	return nil
}

// deferredChange reads a change that the tool put off.
func (p *planReader) deferredChange() error {
	var d struct {
		Reason string     `json:"reason"`
		Change changeJSON `json:"resource_change"`
	}
	if err := p.Decode(&d); err != nil {
		return err
	}
	d.Change.Change.secrets(p.secrets)
	if len(d.Change.Change.Actions) == 0 {
		d.Change.Change.Actions = []string{"unknown"} // the tool may know nothing of it yet
	}
	change, err := d.Change.model()
	if err != nil {
		return err
	}
	change.Deferred = cmp.Or(redact.Clean(d.Reason), "unknown")
	change.Attributes = d.Change.Change.attributes()
	if p.print != nil {
		p.print.deferred(change.Deferred, d.Change)
	}
	p.plan.Deferred = append(p.plan.Deferred, change)
	return nil
}

// unknownMember notes a top-level member that holds something: it may be a new
// kind of effect. Only its name is shown, since nothing in it says which of its
// values are secret.
func (p *planReader) unknownMember(name string) error {
	var value any
	if err := p.Decode(&value); err != nil {
		return err
	}
	if jsonvalue.IsEmpty(value) {
		return nil
	}
	if p.print != nil {
		p.print.member(name, value)
	}
	p.plan.Unknown = append(p.plan.Unknown, redact.Clean(name))
	return nil
}

// effects counts what the plan does, and notes whether the lists explain that the
// tool calls it applyable. A tool that does not say may have something to apply.
func (p *planReader) effects() {
	plan := &p.plan
	slices.SortStableFunc(plan.Invocations, func(a, b pipeline.Invocation) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Resource, b.Resource))
	})
	slices.Sort(plan.Unknown)
	plan.Unknown = slices.Compact(plan.Unknown)
	plan.Counts = pipeline.CountChanges(plan.Changes)
	for _, v := range plan.Invocations {
		if v.Deferred == "" {
			plan.Counts.Invoke++
		}
	}
	switch {
	case p.applyable != nil && !*p.applyable:
	case len(plan.Unknown) > 0:
		plan.Unexplained = true
	case p.applyable != nil:
		plan.Unexplained = !plan.Errored && len(plan.Changes)+len(plan.Outputs)+len(plan.Invocations) == 0
	}
}
