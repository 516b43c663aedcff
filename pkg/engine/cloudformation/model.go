package cloudformation

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// masked stands in the place of a value that CloudFormation does not tell.
const masked = "****"

// laterValue stands in the place of a value that is known only when the change set is executed.
var laterValue = text.Pattern(`^\{\{changeSet:[A-Z_]+\}\}$`)

// model fills in the plan from the changes of a change set; prefix stands before the names of a nested stack.
func (w *workspace) model(p *pipeline.Plan, changes []types.Change, prefix string) {
	for _, c := range changes {
		if c.Type != types.ChangeTypeResource || c.ResourceChange == nil {
			p.Unknown = append(p.Unknown, redact.Clean(string(c.Type)))
			p.Unexplained = true
			continue
		}
		p.Changes = append(p.Changes, w.change(*c.ResourceChange, prefix))
	}
}

func (w *workspace) change(r types.ResourceChange, prefix string) pipeline.ResourceChange {
	change := pipeline.ResourceChange{Address: prefix + redact.Clean(str(r.LogicalResourceId)), Type: redact.Clean(str(r.ResourceType))}
	policy := r.PolicyAction
	switch r.Action {
	case types.ChangeActionAdd:
		change.Action = pipeline.ActionCreate
	case types.ChangeActionRemove:
		change.Action = pipeline.ActionDelete
		if policy == types.PolicyActionRetain {
			change.Action, change.Reason = pipeline.ActionForget, "deletion policy"
		}
	case types.ChangeActionImport:
		change.Action, change.Imports, change.ImportID = pipeline.ActionNone, true, redact.Clean(str(r.PhysicalResourceId))
	case types.ChangeActionModify, types.ChangeActionSyncWithActual:
		change.Action = pipeline.ActionUpdate
		switch r.Replacement {
		case types.ReplacementTrue:
			change.Action, change.CreateFirst = pipeline.ActionReplace, true
		case types.ReplacementConditional:
			change.Action, change.CreateFirst, change.Reason = pipeline.ActionReplace, true, "replacement_is_conditional"
		}
		change.KeepsOld = change.Action == pipeline.ActionReplace && policy == types.PolicyActionReplaceAndRetain
	default: // such as Dynamic: what is done is decided when the change set is executed
		change.Action = pipeline.Action(strings.ToLower(redact.Clean(string(r.Action))))
	}
	change.Attributes = w.attributes(r)
	return change
}

// attributes are the properties that differ, as far as CloudFormation says it.
func (w *workspace) attributes(r types.ResourceChange) []pipeline.AttributeChange {
	secret := w.template.resources[str(r.LogicalResourceId)].secret
	var replace [][]string
	for _, d := range r.Details {
		if t := d.Target; t != nil && t.Attribute == types.ResourceAttributeProperties && t.RequiresRecreation == types.RequiresRecreationAlways {
			replace = append(replace, []string{str(t.Name)})
		}
	}
	before, after := properties(r.BeforeContext, secret), properties(r.AfterContext, secret)
	all := jsonvalue.Differences(before, after, replace)
	named := func(property string) bool {
		return slices.ContainsFunc(all, func(a pipeline.AttributeChange) bool {
			return a.Path == property || strings.HasPrefix(a.Path, property+".") || strings.HasPrefix(a.Path, property+"[")
		})
	}
	for _, d := range r.Details {
		t := d.Target
		if t == nil {
			continue
		}
		name := redact.Clean(str(t.Name))
		if name == "" {
			name = redact.Clean(string(t.Attribute))
		}
		if t.Attribute == types.ResourceAttributeMetadata || name == "" || named(name) {
			continue
		}
		// What is masked looks the same before and after.
		hidden := secret[name] || secretName(name)
		all = append(all, pipeline.AttributeChange{Path: name, Before: w.single(t.BeforeValue, hidden), After: w.later(t.AfterValue, hidden, d.Evaluation),
			ForcesReplacement: t.RequiresRecreation == types.RequiresRecreationAlways})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

func (w *workspace) single(v *string, hidden bool) pipeline.Value {
	switch {
	case v == nil:
		return pipeline.Value{}
	case hidden || strings.Contains(*v, masked):
		return pipeline.Value{Sensitive: true}
	case laterValue().MatchString(*v):
		return pipeline.Value{Unknown: true}
	}
	return pipeline.Value{Text: jsonvalue.Text(*v, nil)}
}

func (w *workspace) later(v *string, hidden bool, evaluation types.EvaluationType) pipeline.Value {
	if v == nil && evaluation == types.EvaluationTypeDynamic {
		return pipeline.Value{Unknown: true}
	}
	return w.single(v, hidden)
}

// properties are those of a context, which is JSON, with marks of what is secret and of what is not known.
func properties(context *string, secret map[string]bool) jsonvalue.Side {
	if str(context) == "" {
		return jsonvalue.Side{}
	}
	decoded, err := jsonvalue.Decode(json.RawMessage(*context))
	whole, isObject := decoded.(map[string]any)
	if err != nil || !isObject {
		return jsonvalue.Side{}
	}
	object, isObject := whole["Properties"].(map[string]any)
	if !isObject {
		return jsonvalue.Side{}
	}
	sensitive, unknown := map[string]any{}, map[string]any{}
	for name, value := range object {
		sensitive[name], unknown[name] = marks(value, secret[name] || secretName(name))
	}
	return jsonvalue.Side{Value: object, Present: true, Sensitive: sensitive, Unknown: unknown}
}

// marks are the ones of a value: what is masked in it, and what is known later.
func marks(value any, hidden bool) (sensitive, unknown any) {
	switch v := value.(type) {
	case string:
		return hidden || strings.Contains(v, masked), laterValue().MatchString(v)
	case map[string]any:
		s, u := map[string]any{}, map[string]any{}
		for key, member := range v {
			s[key], u[key] = marks(member, secretName(key))
		}
		if hidden {
			return true, u
		}
		return s, u
	case []any:
		var s, u []any
		for _, item := range v {
			sensitive, unknown := marks(item, false)
			s, u = append(s, sensitive), append(u, unknown)
		}
		if hidden {
			return true, u
		}
		return s, u
	}
	return hidden, false
}

// secretWords are parts of the names of properties that hold secrets. Types mark them as write-only, and change
// sets do not say so.
var secretWords = []string{"password", "secretstring", "secretvalue", "privatekey", "authtoken", "clientsecret", "accesstoken", "apikeyvalue", "oauthtoken", "masteruserpassword"}

func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// finish orders the plan, counts it and takes secrets out of it.
func (w *workspace) finish(p *pipeline.Plan) {
	sort.SliceStable(p.Changes, func(i, j int) bool { return p.Changes[i].Address < p.Changes[j].Address })
	p.Counts = pipeline.CountChanges(p.Changes)
	w.filter.Plan(p)
}

// note adds what people should know of the plan.
func (w *workspace) note(p *pipeline.Plan, summary, detail string) {
	d := pipeline.Diagnostic{Warning: true, Summary: summary, Detail: detail}
	w.filter.Diagnostic(&d)
	w.log.Diagnostic(d)
	p.Diagnostics = append(p.Diagnostics, d)
}

// canonical is what CloudFormation says of a change set, in one spelling: what the fingerprint and the apply
// compare. Ids that are new in each change set are left out.
func canonical(c changeSet) ([]byte, error) {
	parts := [][]any{{"", spelledChanges(c.changes)}}
	for _, nested := range c.nested {
		parts = append(parts, []any{nested.prefix, spelledChanges(nested.changes)})
	}
	sort.SliceStable(parts, func(i, j int) bool { return parts[i][0].(string) < parts[j][0].(string) })
	tags := map[string]string{}
	for _, t := range c.tags {
		tags[str(t.Key)] = str(t.Value)
	}
	return json.Marshal([]any{parts, tags})
}

func spelledChanges(changes []types.Change) any {
	type one struct {
		Type, Action, ID, Kind, Physical, Replacement, Policy string
		Scope                                                 []string
		Before, After                                         string
		Details                                               []string
	}
	all := []one{}
	for _, c := range changes {
		o := one{Type: string(c.Type)}
		if r := c.ResourceChange; r != nil {
			o.Action, o.ID, o.Kind, o.Physical = string(r.Action), str(r.LogicalResourceId), str(r.ResourceType), str(r.PhysicalResourceId)
			o.Replacement, o.Policy = string(r.Replacement), string(r.PolicyAction)
			o.Before, o.After = spelled(r.BeforeContext), spelled(r.AfterContext)
			for _, s := range r.Scope {
				o.Scope = append(o.Scope, string(s))
			}
			slices.Sort(o.Scope)
			for _, d := range r.Details {
				detail := []string{string(d.ChangeSource), string(d.Evaluation), str(d.CausingEntity)}
				if t := d.Target; t != nil {
					detail = append(detail, string(t.Attribute), str(t.Name), str(t.Path), string(t.RequiresRecreation), str(t.BeforeValue), str(t.AfterValue))
				}
				o.Details = append(o.Details, fmt.Sprintf("%q", detail))
			}
			slices.Sort(o.Details)
		}
		all = append(all, o)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// spelled is a value in one spelling; what is no JSON is a text.
func spelled(s *string) string {
	if s == nil {
		return ""
	}
	value, err := jsonvalue.Decode(json.RawMessage(*s))
	if err != nil {
		value = *s
	}
	return string(jsonvalue.Canonical(nil, value))
}

// fingerprint is a keyed hash of what the plan does.
func (w *workspace) fingerprint(parts ...[]byte) string {
	if w.job.MAC == nil {
		return ""
	}
	mac := w.job.MAC()
	for _, part := range parts {
		fmt.Fprintf(mac, "%d ", len(part))
		mac.Write(part)
	}
	return hex.EncodeToString(mac.Sum(nil))
}
