package terraform

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Shorter strings are too common to be looked for inside of others.
const (
	minSecret     = text.MinSecret // characters of a whole value
	minSecretLine = 12             // characters of one line of a longer value
	minDigits     = 6              // digits of a number
)

// secretSet holds the strings that stood at sensitive places.
type secretSet map[string]struct{}

// addMarked adds the strings of value that marks name.
func (s secretSet) addMarked(value, marks any) {
	switch m := marks.(type) {
	case bool:
		if m {
			s.addAll(value)
		}
	case map[string]any:
		if object, ok := value.(map[string]any); ok {
			for key, mark := range m {
				s.addMarked(object[key], mark)
			}
		}
	case []any:
		if list, ok := value.([]any); ok {
			for i := range min(len(m), len(list)) {
				s.addMarked(list[i], m[i])
			}
		}
	}
}

func (s secretSet) addAll(value any) {
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
			s.addAll(e)
		}
	case []any:
		for _, e := range v {
			s.addAll(e)
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

func (s secretSet) addRaw(raw json.RawMessage) error {
	value, err := decodeAny(raw)
	if err != nil {
		return err
	}
	s.addAll(value)
	return nil
}

// redactor replaces secrets inside of texts, in time linear in the text.
type redactor struct {
	texts *text.Matcher // all secrets in all their forms
	names *text.Matcher // those that no name of an attribute or a key looks like
	// blind: the secrets are not known, so what a provider wrote is left out.
	blind bool
}

func newRedactor(secrets secretSet) *redactor {
	if len(secrets) == 0 {
		return &redactor{}
	}
	var forms, names []string
	for secret := range secrets {
		forms = append(forms, text.Spellings(secret, minSecretLine)...)
		if !isWord(secret) {
			names = append(names, secret)
		}
	}
	return &redactor{texts: text.NewMatcher(forms), names: text.NewMatcher(names)}
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

// text redacts free text.
func (r *redactor) text(s string) string { return r.texts.Replace(s, sensitiveText) }

// name redacts addresses and paths.
func (r *redactor) name(s string) string { return r.names.Replace(s, sensitiveText) }

// json redacts the strings inside of a JSON text.
func (r *redactor) json(s string) string {
	if r.texts == nil || len(s) < minSecret {
		return s
	}
	if s[0] != '"' && s[0] != '{' && s[0] != '[' {
		if r.text(s) == sensitiveText {
			return string(appendJSONString(nil, sensitiveText))
		}
		return s // other numbers, and words, hold no secret string
	}
	if s[0] == '"' && !strings.Contains(s, `\`) {
		if inner := s[1 : len(s)-1]; r.text(inner) == inner {
			return s
		}
	}
	value, err := decodeAny(json.RawMessage(s))
	if err != nil {
		return string(appendJSONString(nil, sensitiveText))
	}
	return textOf(r.walk(value), nil)
}

func (r *redactor) walk(value any) any {
	switch v := value.(type) {
	case string:
		return r.text(v)
	case json.Number:
		if r.text(v.String()) == sensitiveText {
			return sensitiveText
		}
	case []any:
		for i := range v {
			v[i] = r.walk(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, e := range v {
			clean[r.name(key)] = r.walk(e)
		}
		return clean
	}
	return value
}

func (r *redactor) value(v *pipeline.Value) {
	if v.Text == "" || r.texts == nil {
		return
	}
	v.Text = r.json(v.Text)
	if v.Text == `"`+sensitiveText+`"` {
		*v = pipeline.Value{Sensitive: true}
	}
}

// output redacts the value of an output; where the secrets are not known, all of it.
func (r *redactor) output(o *pipeline.Output) {
	if r.blind {
		*o = pipeline.Output{Name: o.Name, Sensitive: true}
	}
	if o.Value == "" || r.texts == nil {
		return
	}
	if o.Value = r.json(o.Value); o.Value == `"`+sensitiveText+`"` {
		*o = pipeline.Output{Name: o.Name, Sensitive: true}
	}
}

// address redacts an address; where the secrets are not known, the keys in it.
func (r *redactor) address(s string) string {
	if before, _, ok := strings.Cut(s, `["`); r.blind && ok {
		return before + `["` + sensitiveText + `"]`
	}
	return r.name(s)
}

// plan redacts every text of the plan.
func (r *redactor) plan(p *pipeline.Plan) {
	for _, changes := range [][]pipeline.ResourceChange{p.Changes, p.Drift, p.Deferred} {
		for i := range changes {
			r.change(&changes[i])
		}
	}
	for i := range p.Invocations {
		v := &p.Invocations[i]
		for _, s := range []*string{&v.Address, &v.Resource, &v.Event, &v.OnFailure} {
			*s = r.name(cleanText(*s))
		}
		r.attributes(v.Arguments)
	}
	for i := range p.Outputs {
		r.value(&p.Outputs[i].Before)
		r.value(&p.Outputs[i].After)
	}
	for i := range p.Checks {
		p.Checks[i].Address = r.name(p.Checks[i].Address)
		for j, m := range p.Checks[i].Messages {
			p.Checks[i].Messages[j] = r.text(m)
		}
	}
}

func (r *redactor) change(c *pipeline.ResourceChange) {
	for _, s := range []*string{&c.Address, &c.PreviousAddress, &c.Module} {
		*s = r.name(cleanText(*s))
	}
	c.ImportID = r.text(cleanText(c.ImportID))
	if c.ImportIdentity != "" {
		c.ImportIdentity = r.json(c.ImportIdentity)
	}
	r.attributes(c.Attributes)
}

func (r *redactor) attributes(all []pipeline.AttributeChange) {
	for i := range all {
		a := &all[i]
		a.Path = r.name(a.Path)
		r.value(&a.Before)
		r.value(&a.After)
	}
}

// diagnostic redacts what a provider wrote.
func (r *redactor) diagnostic(d *pipeline.Diagnostic) {
	d.Summary, d.Detail, d.Code, d.Remedy = r.text(d.Summary), r.text(d.Detail), r.text(d.Code), r.text(d.Remedy)
	d.Address = r.name(d.Address)
	if r.blind && d.Detail != "" {
		d.Detail = "(not shown: the plan could not be read again, so its sensitive values are not known)"
	}
}
