package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The placeholders of templates, as variables.yml writes its own.
const (
	PlaceholderCustomer    = "{{ customer }}"
	PlaceholderEnvironment = "{{ environment }}"
	PlaceholderStack       = "{{ stack }}"
	PlaceholderCommand     = "{{ command }}" // a Work
)

// Template is a text in which placeholders stand for parts of a target. All
// templates of metapipe.yml and customers/ are of this type, so that one check
// keeps their targets apart.
type Template string

// Fill returns the text for one target. An empty work leaves its placeholder.
func (t Template) Fill(target Target, work Work) string {
	pairs := []string{PlaceholderCustomer, string(target.Customer), PlaceholderEnvironment, string(target.Environment), PlaceholderStack, string(target.Stack)}
	if work != "" {
		pairs = append(pairs, PlaceholderCommand, string(work))
	}
	return strings.NewReplacer(pairs...).Replace(string(t))
}

// Holds reports whether a placeholder occurs.
func (t Template) Holds(placeholder string) bool { return strings.Contains(string(t), placeholder) }

// TemplateError says why two targets could get the same text, and what to write.
type TemplateError struct{ Message, Next string }

func (e *TemplateError) Error() string { return withNext(e.Message, e.Next, nil) }

// Check refuses what is not one of the placeholders, and templates that can give two
// targets the same text: placeholders joined by what names may hold, and path
// segments or fragments that a reader of the text drops. The error is a
// *TemplateError; its message follows the name of the key.
func (t Template) Check(placeholders ...string) error {
	if i := strings.IndexFunc(string(t), unprintable); i >= 0 || !utf8.ValidString(string(t)) {
		return &TemplateError{fmt.Sprintf("is %+q: it holds a character that is no letter, digit or sign", short(string(t))), "write one plain line of visible characters"}
	}
	literals, names := t.parts(placeholders)
	for _, literal := range literals {
		if strings.Contains(literal, "{{") || strings.Contains(literal, "}}") {
			return &TemplateError{fmt.Sprintf("is %q, which holds another placeholder", short(string(t))), "write these placeholders exactly so: " + strings.Join(placeholders, ", ")}
		}
	}
	for i := 1; i < len(names); i++ {
		if names[i-1] != names[i] && onlyNameCharacters(literals[i]) {
			return &TemplateError{
				fmt.Sprintf("joins %s and %s by %q, which names may hold: customer a-b in c, and a in b-c, would be one", names[i-1], names[i], literals[i]),
				"put a / or a _ between them"}
		}
	}
	if len(names) > 0 {
		return t.checkDropped()
	}
	return nil
}

// checkDropped refuses parts of an address that programs leave out or resolve.
func (t Template) checkDropped() error {
	text := string(t)
	// %2D is a - to a server, and a character without a shape is none to a reader.
	if i := strings.IndexFunc(text, func(r rune) bool { return r == '%' || r < ' ' || r > '~' }); i >= 0 {
		return &TemplateError{fmt.Sprintf("is %q: servers decode what follows a %%, and not every reader sees all characters", short(text)), "use printable ASCII without % in a text with placeholders"}
	}
	if strings.ContainsAny(text, "#\\") {
		return &TemplateError{fmt.Sprintf("is %q: readers drop what follows a #, and some take a \\ for a /", short(text)), "leave both out of a text with placeholders"}
	}
	if name := t.repeated(); name != "" {
		return &TemplateError{fmt.Sprintf("is %q: readers drop one of two parameters %q, and may change the order of parameters", short(text), name),
			"name each parameter once, and use placeholders in values only"}
	}
	for segment := range strings.SplitSeq(text, "/") {
		if segment == "." || segment == ".." {
			return &TemplateError{fmt.Sprintf("is %q: readers resolve the part %q and drop what is before it", short(text), segment), "write the path without . and .."}
		}
	}
	return nil
}

// repeated returns the name of a parameter that occurs twice, or that a placeholder is
// part of beside further parameters: two targets could swap their parameters. Parameters
// are those of a URL, with & or ; between them, and words such as host=a dbname=b.
func (t Template) repeated() string {
	const inside = "\x00"
	text := strings.NewReplacer(PlaceholderCustomer, inside, PlaceholderEnvironment, inside, PlaceholderStack, inside, PlaceholderCommand, inside).Replace(string(t))
	if _, query, ok := strings.Cut(text, "?"); ok {
		text = query
	} else if !strings.ContainsAny(text, "&; ") {
		return ""
	}
	seen := map[string]bool{}
	parameters := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("?&; ", r) })
	for _, parameter := range parameters {
		name, _, assigned := strings.Cut(strings.ToLower(parameter), "=")
		switch {
		case strings.Contains(name, inside) && len(parameters) > 1:
			return strings.ReplaceAll(name, inside, "{{ … }}")
		case seen[name] && assigned:
			return name
		}
		seen[name] = seen[name] || assigned
	}
	return ""
}

// unprintable reports whether a character is not seen, or is not there for all readers.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// parts splits the template: literals[i] stands before names[i], the last one behind
// all. A command counts as a literal, since names may hold its words.
func (t Template) parts(placeholders []string) (literals, names []string) {
	rest := string(t)
	if slices.Contains(placeholders, PlaceholderCommand) {
		rest = strings.ReplaceAll(rest, PlaceholderCommand, string(WorkPlan))
	}
	for {
		at, name := len(rest), ""
		for _, p := range placeholders {
			if i := strings.Index(rest, p); i >= 0 && i < at && p != PlaceholderCommand {
				at, name = i, p
			}
		}
		literals = append(literals, rest[:at])
		if name == "" {
			return literals, names
		}
		names = append(names, name)
		rest = rest[at+len(name):]
	}
}

// onlyNameCharacters reports whether a text could be part of a name. Letters count in
// either case: some services do not distinguish them.
func onlyNameCharacters(s string) bool { return strings.Trim(s, lower+upper+Digits+"-") == "" }

// short bounds what an error quotes.
func short(s string) string {
	return Clip(s, 120)
}

// Work is what is done on a target, where that decides about its credentials.
type Work string

// The kinds of work. Plans, also those that look for drift, need to read only.
const (
	WorkPlan  Work = "plan"
	WorkApply Work = "apply"
)
