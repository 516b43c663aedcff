package redact

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Shorter strings are too common to be looked for inside of others.
const (
	minSecret     = text.MinSecret // characters of a whole value
	minSecretLine = 12             // characters of one line of a longer value
	minDigits     = 6              // digits of a number
)

// Secrets holds the strings that stood at sensitive places.
type Secrets map[string]struct{}

// AddMarked adds the strings of value that marks name.
func (s Secrets) AddMarked(value, marks any) {
	switch m := marks.(type) {
	case bool:
		if m {
			s.AddAll(value)
		}
	case map[string]any:
		if object, ok := value.(map[string]any); ok {
			for key, mark := range m {
				s.AddMarked(object[key], mark)
			}
		}
	case []any:
		if list, ok := value.([]any); ok {
			for i := range min(len(m), len(list)) {
				s.AddMarked(list[i], m[i])
			}
		}
	}
}

func (s Secrets) AddAll(value any) {
	switch v := value.(type) {
	case string:
		if utf8.RuneCountInString(v) >= minSecret {
			s[v] = struct{}{}
		}
	case json.Number:
		// A number inside of a string has become text.
		if text := v.String(); digits(text) >= minDigits {
			s[text] = struct{}{}
		}
	case map[string]any:
		for _, e := range v {
			s.AddAll(e)
		}
	case []any:
		for _, e := range v {
			s.AddAll(e)
		}
	}
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

func (s Secrets) AddRaw(raw json.RawMessage) error {
	value, err := jsonvalue.Decode(raw)
	if err != nil {
		return err
	}
	s.AddAll(value)
	return nil
}

// Filter replaces secrets inside of texts, in time linear in the text.
type Filter struct {
	texts *text.Matcher // all secrets in all their forms
	names *text.Matcher // those that no name of an attribute or a key looks like
	// Blind: the secrets are not known, so what a provider wrote is left out.
	Blind bool
}

func NewFilter(secrets Secrets) *Filter {
	if len(secrets) == 0 {
		return &Filter{}
	}
	var forms, names []string
	for secret := range secrets {
		forms = append(forms, text.Spellings(secret, minSecretLine)...)
		if !isWord(secret) {
			names = append(names, secret)
		}
	}
	return &Filter{texts: text.NewMatcher(forms), names: text.NewMatcher(names)}
}

// isWord reports secrets such as "main" or "production", which replaced in
// addresses and paths would hide more than they protect.
func isWord(secret string) bool {
	if len(secret) >= 12 {
		return false
	}
	for i := range len(secret) {
		if c := secret[i]; (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Text redacts free text.
func (r *Filter) Text(s string) string { return r.texts.Replace(s, jsonvalue.SensitiveText) }

// Name redacts addresses and paths.
func (r *Filter) Name(s string) string { return r.names.Replace(s, jsonvalue.SensitiveText) }

// json redacts the strings inside of a JSON text.
func (r *Filter) json(s string) string {
	if r.texts == nil || len(s) < minSecret {
		return s
	}
	if s[0] != '"' && s[0] != '{' && s[0] != '[' {
		if r.Text(s) == jsonvalue.SensitiveText {
			return string(jsonvalue.AppendString(nil, jsonvalue.SensitiveText))
		}
		return s // other numbers, and words, hold no secret string
	}
	if s[0] == '"' && !strings.Contains(s, `\`) {
		if inner := s[1 : len(s)-1]; r.Text(inner) == inner {
			return s
		}
	}
	value, err := jsonvalue.Decode(json.RawMessage(s))
	if err != nil {
		return string(jsonvalue.AppendString(nil, jsonvalue.SensitiveText))
	}
	return jsonvalue.Text(r.walk(value), nil)
}

func (r *Filter) walk(value any) any {
	switch v := value.(type) {
	case string:
		return r.Text(v)
	case json.Number:
		if r.Text(v.String()) == jsonvalue.SensitiveText {
			return jsonvalue.SensitiveText
		}
	case []any:
		for i := range v {
			v[i] = r.walk(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, e := range v {
			clean[r.Name(key)] = r.walk(e)
		}
		return clean
	}
	return value
}

func (r *Filter) Value(v *pipeline.Value) {
	if v.Text == "" || r.texts == nil {
		return
	}
	v.Text = r.json(v.Text)
	if v.Text == `"`+jsonvalue.SensitiveText+`"` {
		*v = pipeline.Value{Sensitive: true}
	}
}

// Output redacts the value of an output; where the secrets are not known, all of it.
func (r *Filter) Output(o *pipeline.Output) {
	if r.Blind {
		*o = pipeline.Output{Name: o.Name, Sensitive: true}
	}
	if o.Value == "" || r.texts == nil {
		return
	}
	if o.Value = r.json(o.Value); o.Value == `"`+jsonvalue.SensitiveText+`"` {
		*o = pipeline.Output{Name: o.Name, Sensitive: true}
	}
}

// Address redacts an address; where the secrets are not known, the keys in it.
func (r *Filter) Address(s string) string {
	if before, _, ok := strings.Cut(s, `["`); r.Blind && ok {
		return before + `["` + jsonvalue.SensitiveText + `"]`
	}
	return r.Name(s)
}

// Composition redacts every text of what controllers make.
func (r *Filter) Composition(c *pipeline.Composition) {
	for i := range c.Objects {
		o := &c.Objects[i]
		o.Address, o.Resource, o.Detail = r.Name(Clean(o.Address)), r.Name(Clean(o.Resource)), r.Text(Clean(o.Detail))
	}
}

// Plan redacts every text of the plan.
func (r *Filter) Plan(p *pipeline.Plan) {
	r.Composition(&p.Composed)
	for _, changes := range [][]pipeline.ResourceChange{p.Changes, p.Drift, p.Deferred} {
		for i := range changes {
			r.change(&changes[i])
		}
	}
	for i := range p.Invocations {
		v := &p.Invocations[i]
		for _, s := range []*string{&v.Address, &v.Resource, &v.Event, &v.OnFailure} {
			*s = r.Name(Clean(*s))
		}
		r.attributes(v.Arguments)
	}
	for i := range p.Outputs {
		r.Value(&p.Outputs[i].Before)
		r.Value(&p.Outputs[i].After)
	}
	for i := range p.Checks {
		p.Checks[i].Address = r.Name(p.Checks[i].Address)
		for j, m := range p.Checks[i].Messages {
			p.Checks[i].Messages[j] = r.Text(m)
		}
	}
}

func (r *Filter) change(c *pipeline.ResourceChange) {
	for _, s := range []*string{&c.Address, &c.PreviousAddress, &c.Module} {
		*s = r.Name(Clean(*s))
	}
	c.ImportID = r.Text(Clean(c.ImportID))
	if c.ImportIdentity != "" {
		c.ImportIdentity = r.json(c.ImportIdentity)
	}
	r.attributes(c.Attributes)
}

func (r *Filter) attributes(all []pipeline.AttributeChange) {
	for i := range all {
		a := &all[i]
		a.Path = r.Name(a.Path)
		r.Value(&a.Before)
		r.Value(&a.After)
	}
}

// Diagnostic redacts what a provider wrote.
func (r *Filter) Diagnostic(d *pipeline.Diagnostic) {
	d.Summary, d.Detail, d.Code, d.Remedy = r.Text(d.Summary), r.Text(d.Detail), r.Text(d.Code), r.Text(d.Remedy)
	d.Address = r.Name(d.Address)
	if r.Blind && d.Detail != "" {
		d.Detail = "(not shown: the plan could not be read again, so its sensitive values are not known)"
	}
}
