package terraform

import (
	"fmt"
	"slices"

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
	Actions         []string `json:"actions"`
	Before          any      `json:"before"`
	After           any      `json:"after"`
	AfterUnknown    any      `json:"after_unknown"`
	BeforeSensitive any      `json:"before_sensitive"`
	AfterSensitive  any      `json:"after_sensitive"`
	ReplacePaths    [][]any  `json:"replace_paths"`
	Importing       *struct {
		ID string `json:"id"`
	} `json:"importing"`
}

// action combines the list of the plan JSON. The second result reports a
// replacement that creates first.
func (c changeBody) action() (pipeline.Action, bool, error) {
	switch {
	case len(c.Actions) == 1:
		switch a := pipeline.Action(c.Actions[0]); a {
		case pipeline.ActionNone, pipeline.ActionCreate, pipeline.ActionRead,
			pipeline.ActionUpdate, pipeline.ActionDelete, pipeline.ActionForget:
			return a, false, nil
		}
	case slices.Equal(c.Actions, []string{"delete", "create"}):
		return pipeline.ActionReplace, false, nil
	case slices.Equal(c.Actions, []string{"create", "delete"}):
		return pipeline.ActionReplace, true, nil
	case slices.Equal(c.Actions, []string{"create", "forget"}):
		return pipeline.ActionReplace, true, nil // the old object is left alone
	}
	return "", false, fmt.Errorf("actions %q are not known to this metapipe", c.Actions)
}

// secrets adds what the marks of a change name.
func (c changeBody) secrets(set secretSet) {
	set.addMarked(c.Before, c.BeforeSensitive)
	set.addMarked(c.After, c.AfterSensitive)
}

func (p *planReader) change(into *[]pipeline.ResourceChange) error {
	var c changeJSON
	if err := p.decode(&c); err != nil {
		return err
	}
	c.Change.secrets(p.secrets)
	if containsTrue(c.Change.AfterUnknown) && containsTrue(c.Change.AfterSensitive) {
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
	p.count(change, c.Change.Importing != nil)
	if p.print != nil && change.Action != pipeline.ActionRead {
		p.print.resource(c)
	}
	if !still {
		change.Attributes = c.Change.attributes()
		change.Reverts = p.reverts(c)
	}
	*into = append(*into, change)
	return nil
}

// drift is what changed outside of the tool. It is no part of the fingerprint.
func (p *planReader) drift(into *[]pipeline.ResourceChange) error {
	var c changeJSON
	if err := p.decode(&c); err != nil {
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
	action, createFirst, err := c.Change.action()
	if err != nil {
		return pipeline.ResourceChange{}, fmt.Errorf("%s: %w", c.Address, err)
	}
	change := pipeline.ResourceChange{
		Address:     c.Address,
		Module:      c.ModuleAddress,
		Type:        c.Type,
		Deposed:     c.Deposed,
		Data:        c.Mode == "data",
		Action:      action,
		CreateFirst: createFirst,
		Reason:      c.ActionReason,
	}
	if c.PreviousAddress != c.Address {
		change.PreviousAddress = c.PreviousAddress
	}
	if c.Change.Importing != nil {
		change.ImportID = c.Change.Importing.ID
	}
	return change, nil
}

func (p *planReader) count(change pipeline.ResourceChange, imports bool) {
	if change.Data {
		return
	}
	counts := &p.plan.Counts
	switch change.Action {
	case pipeline.ActionCreate:
		counts.Create++
	case pipeline.ActionUpdate:
		counts.Update++
	case pipeline.ActionReplace:
		counts.Replace++
	case pipeline.ActionDelete:
		counts.Delete++
	case pipeline.ActionForget:
		counts.Forget++
	}
	if change.PreviousAddress != "" {
		counts.Move++
	}
	if imports {
		counts.Import++
	}
}

func (p *planReader) output(name string) error {
	var c changeBody
	if err := p.decode(&c); err != nil {
		return err
	}
	c.secrets(p.secrets)
	action, _, err := c.action()
	if err != nil || action == pipeline.ActionNone {
		return err
	}
	if p.print != nil {
		p.print.output(name, c)
	}
	change := pipeline.OutputChange{Name: name, Action: action}
	hidden := containsTrue(c.BeforeSensitive) || containsTrue(c.AfterSensitive)
	change.Before = wholeValue(c.Before, hidden)
	change.After = wholeValue(c.After, hidden)
	if containsTrue(c.AfterUnknown) {
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
	return pipeline.Value{Text: textOf(value, nil)}
}
