package terraform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Shorter strings are too common to be looked for inside of others.
const (
	minSecret     = 4  // characters of a whole value
	minSecretLine = 12 // characters of one line of a longer value
	minFragment   = 8  // characters of an encoded form
	minDigits     = 6  // digits of a number
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
	texts *matcher // all secrets in all their forms
	names *matcher // those that no name of an attribute or a key looks like
	// blind: the secrets are not known, so what a provider wrote is left out.
	blind bool
}

func newRedactor(secrets secretSet) *redactor {
	if len(secrets) == 0 {
		return &redactor{}
	}
	forms, names := secretSet{}, secretSet{}
	for secret := range secrets {
		before := len(forms)
		addForms(forms, secret)
		if len(forms) > before && !isWord(secret) {
			names[secret] = struct{}{}
		}
	}
	return &redactor{texts: newMatcher(forms), names: newMatcher(names)}
}

// addForms adds the spellings in which a secret appears inside of other strings:
// itself, in JSON, in URLs, in base64 at each of the three alignments, and line by line.
func addForms(forms secretSet, secret string) {
	forms[secret] = struct{}{}
	lines := strings.Split(secret, "\n")
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(lines) > 1 && utf8.RuneCountInString(line) >= minSecretLine {
			forms[line] = struct{}{}
		}
	}
	once := string(appendJSONString(nil, secret))
	once = once[1 : len(once)-1]
	if html, err := json.Marshal(secret); err == nil {
		forms[string(html[1:len(html)-1])] = struct{}{}
	}
	if once != secret {
		forms[once] = struct{}{}
		twice := string(appendJSONString(nil, once))
		forms[twice[1:len(twice)-1]] = struct{}{}
	}
	// As a provider writes it into a connection string.
	for _, form := range []string{url.QueryEscape(secret), url.PathEscape(secret), strings.TrimPrefix(url.UserPassword("", secret).String(), ":")} {
		forms[form], forms[lowerEscapes(form)] = struct{}{}, struct{}{}
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms[encoding.EncodeToString([]byte(secret))] = struct{}{}
		for shift := range 3 {
			// The characters that also hold bits of neighbouring bytes are cut off.
			text := encoding.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, shift), secret...))
			from, to := (shift*8+5)/6, (shift+len(secret))*8/6
			if to-from >= minFragment {
				forms[text[from:to]] = struct{}{}
			}
		}
	}
}

// lowerEscapes writes percent escapes in small letters, as some encoders do.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
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
func (r *redactor) text(s string) string { return r.texts.replace(s) }

// name redacts addresses and paths.
func (r *redactor) name(s string) string { return r.names.replace(s) }

// json redacts the strings inside of a JSON text.
func (r *redactor) json(text string) string {
	if r.texts == nil || len(text) < minSecret {
		return text
	}
	if text[0] != '"' && text[0] != '{' && text[0] != '[' {
		if r.text(text) == sensitiveText {
			return string(appendJSONString(nil, sensitiveText))
		}
		return text // other numbers, and words, hold no secret string
	}
	if text[0] == '"' && !strings.Contains(text, `\`) {
		if inner := text[1 : len(text)-1]; r.texts.replace(inner) == inner {
			return text
		}
	}
	value, err := decodeAny(json.RawMessage(text))
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
	for _, changes := range [][]pipeline.ResourceChange{p.Changes, p.Drift} {
		for i := range changes {
			r.change(&changes[i])
		}
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
	for i := range c.Attributes {
		a := &c.Attributes[i]
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
