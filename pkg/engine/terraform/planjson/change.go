package planjson

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// changeJSON is one element of resource_changes or resource_drift.
type changeJSON struct {
	Address         string     `json:"address"`
	PreviousAddress string     `json:"previous_address"`
	ModuleAddress   string     `json:"module_address"`
	Mode            string     `json:"mode"`
	Type            string     `json:"type"`
	Deposed         string     `json:"deposed"`
	ActionReason    string     `json:"action_reason"`
	Change          changeBody `json:"change"`
}

// changeBody is what happens to one object or output.
type changeBody struct {
	Actions         []string   `json:"actions"`
	Before          any        `json:"before"`
	After           any        `json:"after"`
	AfterUnknown    any        `json:"after_unknown"`
	BeforeSensitive any        `json:"before_sensitive"`
	AfterSensitive  any        `json:"after_sensitive"`
	ReplacePaths    [][]any    `json:"replace_paths"`
	Importing       *importing `json:"importing"`
}

// importing is there when the change imports an object. It holds an id, an
// identity, or neither.
type importing struct {
	ID       string `json:"id"`
	Identity any    `json:"identity"`
	Unknown  bool   `json:"unknown"`
}

// action is what the list of the plan JSON comes to. The tools pair what they do
// with the old object and with the new one, and the pairs grow in number: one that
// is not known keeps its own words, so that a reviewer reads them.
func (c changeBody) action() (pipeline.Action, error) {
	switch {
	case len(c.Actions) == 0 || slices.Contains(c.Actions, ""):
		return "", fmt.Errorf("the list of actions %q holds none", c.Actions)
	case len(c.Actions) == 2 && slices.Contains(c.Actions, "create") && (slices.Contains(c.Actions, "delete") || c.keepsOld()):
		return pipeline.ActionReplace, nil
	}
	return pipeline.Action(redact.Clean(strings.Join(c.Actions, "+"))), nil
}

// createFirst and keepsOld describe a replacement.
func (c changeBody) createFirst() bool { return c.Actions[0] == "create" }

func (c changeBody) keepsOld() bool {
	return len(c.Actions) == 2 && slices.Contains(c.Actions, "create") && slices.Contains(c.Actions, "forget")
}

// secrets adds what the marks of a change name.
func (c changeBody) secrets(set redact.Secrets) {
	set.AddMarked(c.Before, c.BeforeSensitive)
	set.AddMarked(c.After, c.AfterSensitive)
}

func (p *planReader) change(into *[]pipeline.ResourceChange) error {
	var c changeJSON
	if err := p.Decode(&c); err != nil {
		return err
	}
	c.Change.secrets(p.secrets)
	if jsonvalue.ContainsTrue(c.Change.AfterUnknown) && jsonvalue.ContainsTrue(c.Change.AfterSensitive) {
		p.later[c.Address] = c.Change.AfterSensitive
	}
	change, err := c.model()
	if err != nil {
		return err
	}
	still := change.Action == pipeline.ActionNone
	if still && change.PreviousAddress == "" && c.Change.Importing == nil {
		return nil
	}
	if p.print != nil && change.Action != pipeline.ActionRead {
		p.print.resource(c)
	}
	if change.Action != pipeline.ActionRead && !still {
		p.place(c)
	}
	if !still {
		change.Attributes = c.Change.attributes()
		change.Reverts = p.reverts(c)
	}
	*into = append(*into, change)
	return nil
}

// place notes what of a change depends on where the plan is made.
func (p *planReader) place(c changeJSON) {
	if at, ok := placedIn(c.Change.After, holdsPlace(p.places)); ok && p.placed == "" {
		p.placed = c.Address + at
	}
	if at, ok := placedIn(c.Change.After, isBelow(p.home)); ok && p.homed == "" {
		p.homed = c.Address + at
	}
}

// drift is what changed outside of the tool. It is no part of the fingerprint.
func (p *planReader) drift(into *[]pipeline.ResourceChange) error {
	var c changeJSON
	if err := p.Decode(&c); err != nil {
		return err
	}
	c.Change.secrets(p.secrets)
	change, err := c.model()
	if err != nil || change.Action == pipeline.ActionNone {
		return err
	}
	change.Attributes = c.Change.attributes()
	p.drifted[c.identity()] = drifted{before: c.Change.Before}
	*into = append(*into, change)
	return nil
}

func (c changeJSON) model() (pipeline.ResourceChange, error) {
	action, err := c.Change.action()
	if err != nil {
		return pipeline.ResourceChange{}, fmt.Errorf("%s: %w", c.Address, err)
	}
	change := pipeline.ResourceChange{
		Address: c.Address,
		Module:  c.ModuleAddress,
		Type:    c.Type,
		Deposed: c.Deposed,
		Data:    c.Mode == "data",
		Action:  action,
		Reason:  c.ActionReason,
	}
	if action == pipeline.ActionReplace {
		change.CreateFirst, change.KeepsOld = c.Change.createFirst(), c.Change.keepsOld()
	}
	if c.PreviousAddress != c.Address {
		change.PreviousAddress = c.PreviousAddress
	}
	if from := c.Change.Importing; from != nil {
		change.Imports, change.ImportID = true, from.ID
		if from.Identity != nil {
			change.ImportIdentity = jsonvalue.Text(from.Identity, nil)
		}
	}
	return change, nil
}

func (p *planReader) output(name string) error {
	var c changeBody
	if err := p.Decode(&c); err != nil {
		return err
	}
	c.secrets(p.secrets)
	action, err := c.action()
	if err != nil || action == pipeline.ActionNone {
		return err
	}
	if p.print != nil {
		p.print.output(name, c)
	}
	change := pipeline.OutputChange{Name: name, Action: action}
	hidden := jsonvalue.ContainsTrue(c.BeforeSensitive) || jsonvalue.ContainsTrue(c.AfterSensitive)
	change.Before = wholeValue(c.Before, hidden)
	change.After = wholeValue(c.After, hidden)
	if jsonvalue.ContainsTrue(c.AfterUnknown) {
		change.After = pipeline.Value{Unknown: true, Sensitive: hidden}
	}
	p.plan.Outputs = append(p.plan.Outputs, change)
	return nil
}

func wholeValue(value any, hidden bool) pipeline.Value {
	switch {
	case value == nil:
		return pipeline.Value{}
	case hidden:
		return pipeline.Value{Sensitive: true}
	}
	return pipeline.Value{Text: jsonvalue.Text(value, nil)}
}

// attributes lists the differing leaf paths in the order of their paths.
func (c changeBody) attributes() []pipeline.AttributeChange {
	var replace [][]string
	for _, path := range c.ReplacePaths {
		steps := make([]string, len(path))
		for i, step := range path {
			steps[i] = stepText(step)
		}
		replace = append(replace, steps)
	}
	return jsonvalue.Differences(
		jsonvalue.Side{Value: c.Before, Present: c.Before != nil, Sensitive: c.BeforeSensitive},
		jsonvalue.Side{Value: c.After, Present: c.After != nil, Sensitive: c.AfterSensitive, Unknown: c.AfterUnknown},
		replace)
}

func stepText(step any) string {
	switch s := step.(type) {
	case string:
		return s
	case json.Number:
		return s.String()
	}
	return ""
}
