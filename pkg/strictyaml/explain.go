package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// explainer turns validation errors into problems in plain words.
type explainer struct {
	schema   *Schema
	file     string
	root     *Node
	unknown  map[string]bool // pathName of every key that is not allowed
	offers   int             // how many values were tried
	problems pipeline.Problems
}

// add reports one problem with the value at path.
func (e *explainer) add(path []string, rule, message, remedy string) {
	pos, _ := e.root.Locate(path...)
	pos.File = e.file
	e.problems = append(e.problems, pipeline.Problem{Position: pos, Rule: "schema-" + rule, Message: message, Remedy: remedy})
}

func (e *explainer) explain(v violation) {
	switch name := pathName(v.path); v.keyword {
	case "required", "dependentRequired", "dependencies":
		for _, key := range v.missing() {
			e.missing(v, key)
		}
	case "additionalProperties":
		for _, key := range v.unknown() {
			e.unknownKey(v, key)
		}
	case "propertyNames":
		e.add(append(slices.Clone(v.path), v.args[0]), "key", fmt.Sprintf("the key %q is not allowed in %s", Short(v.args[0]), name), "rename it")
	case "type":
		e.wrongType(v)
	case "enum":
		e.enum(v)
	case "const":
		want := "it must be " + show(v.part["const"])
		if v.value == nil {
			e.add(v.path, "const", name+" has no value", "write a value: "+want)
			return
		}
		e.add(v.path, "const", name+" is "+e.written(v.path, v.value), want)
	case "pattern":
		got, _ := v.value.(string)
		e.add(v.path, "pattern", fmt.Sprintf("%s is %q, which does not have the expected form", name, Short(got)), e.patternRemedy(v, got))
	case "format":
		e.format(v)
	case keywordFalse:
		e.falseSchema(v.path, name)
	case "uniqueItems":
		e.twice(v)
	default:
		if rule, message, remedy, ok := e.bound(v); ok {
			e.add(v.path, rule, message, remedy)
			return
		}
		e.form(v)
	}
}

func (e *explainer) enum(v violation) {
	remedy := e.enumRemedy(v.path, v.value, v.allowed())
	if v.value == nil {
		e.add(v.path, "enum", pathName(v.path)+" has no value", "write a value: "+remedy)
		return
	}
	e.add(v.path, "enum", pathName(v.path)+" is "+e.written(v.path, v.value)+", which is not one of the allowed values", remedy)
}

// twice names two items that are alike, from 1. The validator counts them from 0.
func (e *explainer) twice(v violation) {
	var first, second int
	if _, err := fmt.Sscanf(v.message, "items at index %d and %d are equal", &first, &second); err != nil {
		e.form(v)
		return
	}
	e.add(v.path, "unique", fmt.Sprintf("%s holds the same value twice, as items %d and %d", pathName(v.path), first+1, second+1), "remove one of them")
}

// missing names the key to add, at the map where it belongs.
func (e *explainer) missing(v violation, key string) {
	path := v.path
	in := "the file"
	if len(path) > 0 {
		in = pathName(path)
	}
	remedy := "add \"" + key + ":\""
	if len(path) > 0 {
		remedy += " to " + in
	}
	if d := e.schema.description(v.schema, "properties", key); d != "" {
		remedy += " (" + d + ")"
	}
	if present := e.root.At(path...); present != nil {
		if like := pipeline.Nearest(key, unknownKeys(present, e.schema.properties(v.schema))); like != "" {
			if e.unknown[pathName(append(slices.Clone(path), like))] {
				return // reported at that key
			}
			remedy = fmt.Sprintf("did you write %q for %q?", like, key)
		}
	}
	e.add(path, "required", in+lacks(key), remedy)
}

func lacks(key string) string { return " lacks the key \"" + key + "\"" }

// Lacks reports whether a problem is that the schema demands this key, at any place.
func Lacks(p pipeline.Problem, key string) bool {
	return p.Rule == RuleSchemaRequired && strings.HasSuffix(p.Message, lacks(key))
}

func (e *explainer) unknownKey(v violation, key string) {
	path := append(slices.Clone(v.path), key)
	message := fmt.Sprintf("the key %q is not known in %s", Short(key), pathName(v.path))
	known := e.schema.properties(v.schema)
	remedy := "remove it"
	if inner := e.schema.dotted(v.path, key); inner != "" {
		remedy = inner
	} else if like := pipeline.Nearest(key, known); like != "" {
		remedy = fmt.Sprintf("did you mean %q?", like)
	} else if len(known) > 0 && len(known) <= 12 {
		remedy = "remove it; known are: " + strings.Join(known, ", ")
	}
	pos, _ := e.root.Locate(path...)
	if parent := e.root.At(v.path...); parent != nil {
		if entry, ok := parent.Entry(key); ok {
			pos = entry.KeyPlace()
		}
	}
	pos.File = e.file
	e.problems = append(e.problems, pipeline.Problem{Position: pos, Rule: "schema-unknown-key", Message: message, Remedy: remedy})
}

var typeNames = map[string]string{
	"null": "nothing (null)", "boolean": "true or false", "number": "a number", "integer": "a whole number",
	"string": "text", "array": "a list", "object": "a map",
}

func (e *explainer) wrongType(v violation) {
	path := v.path
	want := make([]string, len(v.want))
	for i, w := range v.want {
		want[i] = typeNames[w]
	}
	wanted := strings.Join(want, " or ")
	value := e.root.At(path...)
	got := typeNames[v.got]
	if value != nil && value.inline() && value.Kind != Null && value.Kind != Array && value.Kind != Object {
		got = value.Written() + ", " + got
	}
	remedy := "write " + wanted
	switch {
	case v.got == "null":
		e.add(path, "type", pathName(path)+" has no value, where "+wanted+" is expected", e.emptyRemedy(v, wanted))
		return
	case v.got == "string" && value != nil && value.Source != "" && slices.Equal(v.want, []string{"object"}):
		if m := noBlankPattern().FindStringSubmatch(value.Source); m != nil {
			remedy = fmt.Sprintf("a blank is missing after the colon: write %q on a line below", Short(m[1]+": "+m[2]))
		}
	case value != nil && slices.Equal(v.want, []string{"array"}) && value.Kind != Object && value.inline():
		remedy = e.listRemedy(v, value)
	case v.got == "string" && slices.Contains(v.want, "boolean") && len(v.want) == 1:
		remedy = "write true or false, without quotes"
	case v.got == "string" && value != nil && decimalPattern().MatchString(value.Text):
		remedy += ": remove the quotes"
	case v.got == "string" && value != nil && (slices.Contains(v.want, "integer") || slices.Contains(v.want, "number")):
		if number, ok := e.numberRemedy(path, value.Text); ok {
			remedy = number
		}
	case v.got != "object" && v.got != "array" && slices.Contains(v.want, "string"):
		remedy += ": put the value in quotes"
	}
	e.add(path, "type", fmt.Sprintf("%s is %s, where %s is expected", pathName(path), got, wanted), remedy)
}

// listRemedy writes a value as the list that the schema wants.
func (e *explainer) listRemedy(v violation, value *Node) string {
	if m := hyphenPattern().FindStringSubmatch(value.Source); m != nil {
		return fmt.Sprintf("a blank is missing after the hyphen: write - %s on a line below the key", Short(m[1]))
	}
	part, _ := e.schema.at(strings.TrimSuffix(v.schema, "/type")).(map[string]any)
	kind := kindOfPart(e.schema.follow(part["items"]))
	if part["items"] == nil && value.Kind != String {
		kind = "number"
	}
	text := value.Text
	if value.Source != "" {
		text = value.Source
	}
	list := listOf(text, kind == "integer" || kind == "number")
	if root, _ := Parse(e.file, []byte("list: "+list), Options{Bytes: len(list) + maxKeyLength, Depth: 2, Nodes: len(list) + 2}); root == nil || !e.passes(v.path, root.Get("list").Any()) {
		return e.withDescription(v, "write a list")
	}
	return "write a list: " + Short(list)
}

// listOf writes the parts between commas as a list.
func listOf(text string, numbers bool) string {
	var items []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || numbers && r == ' ' }) {
		part = strings.Trim(part, " ()+*\"'")
		switch {
		case part == "":
		case numbers && decimalPattern().MatchString(part):
			items = append(items, part)
		default:
			items = append(items, fmt.Sprintf("%q", part))
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// emptyRemedy asks for a value of the right kind in the words of the schema.
func (e *explainer) emptyRemedy(v violation, wanted string) string {
	return e.withDescription(v, "write a value: "+wanted)
}

// withDescription adds the words of the schema to a remedy.
func (e *explainer) withDescription(v violation, remedy string) string {
	if d := e.described(v); d != "" {
		remedy += " (" + d + ")"
	}
	return remedy
}

func (e *explainer) falseSchema(path []string, name string) {
	e.add(path, "not-allowed", name+" is not allowed here", "remove it")
}

func (e *explainer) format(v violation) {
	want, ok := v.part["format"].(string)
	if !ok { // the schema of a draft
		want = strings.Trim(v.message[strings.LastIndexByte(v.message, ' ')+1:], "'")
	}
	what, remedy := "is not a valid "+want, "write a valid "+want
	got, isText := v.value.(string)
	var network *cidrError
	if (want == formatCIDR || want == formatAnyCIDR) && errors.As(checkCIDR(got, want == formatCIDR), &network) {
		what = network.what
		remedy = network.remedy(func(s string) bool { return e.passes(v.path, s) })
	}
	if isText {
		if meant, ok := e.offerText(v.path, repairs(got)...); ok {
			remedy = "did you mean " + meant + "?"
		}
	}
	e.add(v.path, "format", fmt.Sprintf("%s is %s, which %s", pathName(v.path), e.written(v.path, v.value), what), e.withDescription(v, remedy))
}

// patternRemedy prefers the words of the schema to the regular expression.
func (e *explainer) patternRemedy(v violation, got string) string {
	if meant, ok := e.offerText(v.path, repairs(got)...); ok {
		return e.withDescription(v, "did you mean "+meant+"?")
	}
	if d := e.described(v); d != "" {
		return d
	}
	if pattern, ok := v.part["pattern"].(string); ok {
		return "it must match " + pattern
	}
	_, pattern, _ := strings.Cut(v.message, "pattern ") // the schema of a draft
	return "it must match " + strings.Trim(pattern, "'")
}

// described is the schema's own description of the value that failed.
func (e *explainer) described(v violation) string {
	if d := e.schema.description(v.schema); d != "" {
		return d
	}
	return e.schema.describedAt(v.path)
}

// enumRemedy lists the values that are allowed here, and the one that was likely meant.
func (e *explainer) enumRemedy(path []string, got any, want []any) string {
	if fit := e.offer(path, want...); len(fit) > 0 {
		want = fit
	}
	words := make([]string, len(want))
	for i, w := range want {
		words[i] = show(w)
	}
	if s, ok := got.(string); ok {
		var texts []string
		for _, w := range want {
			if t, ok := w.(string); ok {
				texts = append(texts, t)
			}
		}
		like := pipeline.Nearest(s, texts)
		for _, c := range repairs(s) {
			if slices.Contains(texts, c) {
				like = c
				break
			}
		}
		if like != "" {
			return fmt.Sprintf("did you mean %q? Allowed are: %s", like, strings.Join(words, ", "))
		}
	}
	return "allowed are: " + strings.Join(words, ", ")
}

// written is the value at path as the file has it; got stands in for a value
// that is not in the file.
func (e *explainer) written(path []string, got any) string {
	if n := e.root.At(path...); n != nil && (n.Kind == Bool || n.Kind == Number) {
		return n.Written()
	}
	return show(got)
}

// show is a value in a message: short, text in quotes.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", Short(v))
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	}
	return Short(fmt.Sprint(v))
}
