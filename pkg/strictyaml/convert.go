package strictyaml

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// convert turns the library's tree into ours and reports what is not allowed in
// it. It never follows an alias, so its work is bounded by the length of the text.
func (p *parser) convert(y *yaml.Node, depth int) *Node {
	n := &Node{Line: y.Line, Column: y.Column, Text: "null"}
	if !p.count(y, depth) {
		return n
	}
	p.checkProperties(y)
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind, n.Text = Object, ""
		p.convertMap(n, y, depth)
	case yaml.SequenceNode:
		n.Kind, n.Text = Array, ""
		for _, item := range y.Content {
			if p.stopped {
				break
			}
			n.Items = append(n.Items, p.convert(item, depth+1))
		}
	case yaml.ScalarNode:
		p.convertScalar(n, y)
	default:
		p.hidden = true
	}
	return n
}

// count keeps the bounds on depth and number of values.
func (p *parser) count(y *yaml.Node, depth int) bool {
	if p.stopped {
		return false
	}
	p.nodes++
	if p.nodes > p.opt.Nodes {
		p.stopped = true
		p.tooMany(position(y))
		return false
	}
	if y.Kind != yaml.ScalarNode && depth > p.opt.Depth {
		p.stopped = true
		p.add(position(y), RuleDepth, fmt.Sprintf("maps and lists are nested more than %d levels deep", p.opt.Depth), "flatten this part")
		return false
	}
	return true
}

// checkProperties refuses aliases, anchors and tags: the first two let a small
// file describe a huge one, the last makes readers disagree.
func (p *parser) checkProperties(y *yaml.Node) {
	if y.Kind == yaml.AliasNode {
		p.hidden = true
		p.add(position(y), RuleAlias, fmt.Sprintf("the alias *%s is not allowed", Short(y.Value)), "write the values out in full")
	}
	if y.Anchor != "" {
		p.add(position(y), RuleAnchor, fmt.Sprintf("the anchor &%s is not allowed", Short(y.Anchor)), "remove it and write the values out where they are needed")
	}
	if y.Style&yaml.TaggedStyle != 0 {
		p.add(position(y), RuleTag, fmt.Sprintf("the tag %s is not allowed", Short(y.Tag)), "remove it; quote the value if it is meant as text")
	}
}

func (p *parser) convertMap(n *Node, y *yaml.Node, depth int) {
	if isUnquotedPlaceholder(y) {
		p.hidden = true
		p.add(position(y), RuleUnquoted, "a placeholder without quotes is a map to YAML", quoteRemedy(p.line(y.Line)))
		return
	}
	n.index = make(map[string]int, len(y.Content)/2)
	forms := make(map[string]int, len(y.Content)/2) // Terraform takes keys of one form for one key
	for i := 0; i+1 < len(y.Content) && !p.stopped; i += 2 {
		key := y.Content[i]
		name, ok := p.key(key)
		value := p.convert(y.Content[i+1], depth+1)
		if !ok {
			p.hidden = true
			continue
		}
		form := norm.NFC.String(name)
		if first, taken := forms[form]; taken {
			p.duplicate(n.Entries[first], key, value)
			continue
		}
		p.checkForm(position(key), "the key", name)
		p.hintAtEmpty(y, key, value)
		n.index[name], forms[form] = len(n.Entries), len(n.Entries)
		n.Entries = append(n.Entries, Entry{Key: name, Line: key.Line, Column: key.Column, Value: value})
	}
}

// duplicate reports the second of two keys that Terraform cannot keep apart.
func (p *parser) duplicate(first Entry, second *yaml.Node, value *Node) {
	message := fmt.Sprintf("the key %q is here for the second time; the first is on line %d", Short(second.Value), first.Line)
	if first.Key != second.Value {
		message = fmt.Sprintf("the key %q is the key on line %d in another Unicode form; Terraform takes both for one key", Short(second.Value), first.Line)
	}
	p.add(position(second), RuleDuplicateKey, message, duplicateRemedy(first, second, value))
}

// checkForm warns of text that Terraform changes: it keeps all text in the form NFC.
func (p *parser) checkForm(at pipeline.Position, what, s string) {
	if !norm.NFC.IsNormalString(s) {
		p.warn(at, RuleUnicodeForm, fmt.Sprintf("%s %q is not in the Unicode form NFC; Terraform changes it to %q", what, Short(s), Short(norm.NFC.String(s))),
			"write it in the form NFC; most editors do when you type it again")
	}
}

// duplicateRemedy joins two maps under one key; of two other values one must go.
func duplicateRemedy(first Entry, second *yaml.Node, value *Node) string {
	bothMaps := first.Value.Kind == Object && value.Kind == Object
	switch {
	case bothMaps && slices.ContainsFunc(value.Entries, func(e Entry) bool { return first.Value.Get(e.Key) != nil }):
		return "both hold the same keys: give one another name, or keep one of the two"
	case bothMaps && (first.Line == second.Line || value.Line == second.Line):
		return fmt.Sprintf("move the keys of the second map into the one on line %d, and remove the second", first.Line)
	case bothMaps:
		return fmt.Sprintf("move what stands below line %d under the key of line %d, and remove line %d", second.Line, first.Line, second.Line)
	}
	return "keep one of the two"
}

// isUnquotedPlaceholder recognizes `{{ name }}`: to YAML a flow map whose only
// key is a flow map.
func isUnquotedPlaceholder(y *yaml.Node) bool {
	return y.Style&yaml.FlowStyle != 0 && len(y.Content) == 2 &&
		y.Content[0].Kind == yaml.MappingNode && y.Content[0].Style&yaml.FlowStyle != 0
}

// key checks that a key is text of a sane form. Like a
// value, it is refused where two readers of YAML differ.
func (p *parser) key(y *yaml.Node) (string, bool) {
	if !p.count(y, 0) {
		return "", false
	}
	p.checkProperties(y)
	switch {
	case y.Kind == yaml.AliasNode:
		return "", false
	case y.Kind != yaml.ScalarNode:
		p.add(position(y), RuleKeyNotText, "a map or a list is used as a key", "use text as the key")
		return "", false
	case y.Value == "<<":
		p.add(position(y), RuleMergeKey, "the merge key << is not allowed", "write the merged keys out in full")
		return "", false
	}
	core, other, differ := readings(y.Value)
	if isPlain(y) && differ && !(p.opt.PlainWords && kindOf(core) == String) {
		message, _ := explainReadings(y.Value, core, other)
		p.add(position(y), RuleAmbiguous, "the key "+message, fmt.Sprintf("put it in quotes: %q", Short(y.Value)))
		return "", false
	}
	if kind := plainKind(y); kind != String {
		p.add(position(y), RuleKeyNotText, fmt.Sprintf("the key %q is %s to YAML, not text", Short(y.Value), kind), fmt.Sprintf("put it in quotes: %q", Short(y.Value)))
		return "", false
	}
	if utf8.RuneCountInString(y.Value) > maxKeyLength || strings.ContainsFunc(y.Value, notInKey) {
		what := "is too long or holds a line break or an invisible character"
		if i := strings.IndexFunc(y.Value, isForeignSpace); i >= 0 {
			r, _ := utf8.DecodeRuneInString(y.Value[i:])
			what = "holds " + nameOf(r)
		}
		p.add(position(y), RuleKeyForm, fmt.Sprintf("the key %q %s", Short(y.Value), what),
			fmt.Sprintf("use at most %d visible characters on one line", maxKeyLength))
		return "", false
	}
	return y.Value, true
}

func notInKey(r rune) bool {
	return r == '\n' || r == '\r' || r == '\t' || forbidden(r) || isForeignSpace(r)
}

func (p *parser) convertScalar(n *Node, y *yaml.Node) {
	s := resolve(y)
	n.Kind, n.Text = s.kind, s.text
	if isPlain(y) {
		n.Source = y.Value
	}
	pos := pipeline.Position{Line: y.Line, Column: y.Column}
	if s.rule != "" && !(p.opt.PlainWords && s.kind == String) {
		p.add(pos, s.rule, s.message, s.remedy)
	}
	p.checkForm(pos, "the text", y.Value)
	if i := strings.IndexFunc(y.Value, forbidden); i >= 0 {
		r, _ := utf8.DecodeRuneInString(y.Value[i:]) // checkText refuses it in the text itself
		p.add(pos, RuleControl, fmt.Sprintf("a backslash escape in this text makes the invisible character U+%04X", r), backslashRemedy)
	} else if r, found := misleading(y.Value); found {
		p.warn(pos, RuleInvisible, "the text holds "+nameOf(r)+", which a reviewer cannot see", "write a plain blank, or remove it")
	}
}

// hintAtEmpty looks at a key without a value: a comment may have swallowed it,
// or the blank behind the colon is missing in a map in braces.
func (p *parser) hintAtEmpty(y, key *yaml.Node, value *Node) {
	if value.Kind != Null || value.Source != "" {
		return
	}
	if at, ok := p.seen.empty[key.Line]; ok && y.Style&yaml.FlowStyle == 0 {
		p.warn(pipeline.Position{Line: key.Line, Column: at}, RuleComment, fmt.Sprintf("everything behind \" #\" is a comment, so %q has no value", Short(key.Value)),
			"put the value in quotes if # belongs to it, else write a blank behind #")
	}
	if y.Style&yaml.FlowStyle != 0 && isPlain(key) && key.Value != "environment" && !noBlankPattern().MatchString(key.Value) {
		p.warn(position(key), RuleNoValue, fmt.Sprintf("%q has no value in this map in braces", Short(key.Value)), "write \"key: value\"")
	}
	if m := noBlankPattern().FindStringSubmatch(key.Value); m != nil && isPlain(key) {
		p.add(position(key), RuleNoBlank, fmt.Sprintf("a blank is missing after the colon of %q", Short(m[1])), fmt.Sprintf("write %q", Short(m[1]+": "+m[2])))
	}
}
