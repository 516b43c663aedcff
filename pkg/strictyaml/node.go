package strictyaml

import (
	"encoding/json"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Kind is the type of a value, as JSON has it.
type Kind int

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String is the kind in a customer's words.
func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "a map"}[k]
}

// Node is one value of a document.
type Node struct {
	Kind Kind
	// Text is the value of a scalar: text as it is, a number in plain decimal
	// digits without exponent, "true", "false" or "null".
	Text string
	// Source is a scalar without quotes as the file writes it, such as 1.10 or
	// True; it is empty for everything else.
	Source  string
	Entries []Entry // of an Object, in file order; keys are unique
	Items   []*Node // of an Array
	Line    int
	Column  int
	index   map[string]int
}

// Entry is one key of an Object.
type Entry struct {
	Key    string
	Line   int
	Column int
	Value  *Node
}

// Entry returns the entry of key, and false when there is none.
func (n *Node) Entry(key string) (Entry, bool) {
	i, ok := n.index[key]
	if !ok {
		return Entry{}, false
	}
	return n.Entries[i], true
}

// Get returns the value of key, or nil.
func (n *Node) Get(key string) *Node {
	e, _ := n.Entry(key)
	return e.Value
}

// Written is a scalar as the file has it: a number with the digits that were
// written, text in quotes. Maps and lists are named by their kind.
func (n *Node) Written() string {
	switch {
	case n.Kind == String:
		return strconv.Quote(Short(n.Text))
	case n.Kind == Null || n.Kind == Array || n.Kind == Object:
		return n.Kind.String()
	case n.Source != "":
		return Short(n.Source)
	}
	return Short(n.Text)
}

// Locate finds the place of the value at path (keys, and indexes as decimal
// digits): for scalars where the value stands, for maps and lists where their
// key stands, since their content begins a line later. When the value does not
// exist it returns the place of its nearest parent and false. The position has
// no file name.
func (n *Node) Locate(path ...string) (pos pipeline.Position, exact bool) {
	pos = pipeline.Position{Line: n.Line, Column: n.Column}
	for _, step := range path {
		next, at, ok := n.child(step)
		if !ok {
			return pos, false
		}
		n, pos = next, at
	}
	return pos, true
}

func (n *Node) child(step string) (*Node, pipeline.Position, bool) {
	if n.Kind == Array {
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(n.Items) {
			return nil, pipeline.Position{}, false
		}
		item := n.Items[i]
		return item, pipeline.Position{Line: item.Line, Column: item.Column}, true
	}
	e, ok := n.Entry(step)
	if !ok {
		return nil, pipeline.Position{}, false
	}
	return e.Value, e.Place(), true
}

// KeyPlace is where the key stands, without file name.
func (e Entry) KeyPlace() pipeline.Position {
	return pipeline.Position{Line: e.Line, Column: e.Column}
}

// Place is where a reader looks for the value: the value itself when it stands
// on the line of its key, else the key.
func (e Entry) Place() pipeline.Position {
	v := e.Value
	if v.Line != e.Line || v.Kind == Null || v.Kind == Object || v.Kind == Array {
		return e.KeyPlace()
	}
	return pipeline.Position{Line: v.Line, Column: v.Column}
}

// At returns the value at path, or nil.
func (n *Node) At(path ...string) *Node {
	for _, step := range path {
		next, _, ok := n.child(step)
		if !ok {
			return nil
		}
		n = next
	}
	return n
}

// Walk calls visit for n and everything below it, with the path to it. The
// path is only valid during the call.
func (n *Node) Walk(visit func(path []string, v *Node)) { n.walk(nil, visit) }

func (n *Node) walk(path []string, visit func([]string, *Node)) {
	visit(path, n)
	for i, item := range n.Items {
		item.walk(append(path, strconv.Itoa(i)), visit)
	}
	for _, e := range n.Entries {
		e.Value.walk(append(path, e.Key), visit)
	}
}

// MapText returns a copy in which every text value (no key) went through f.
// Positions stay.
func (n *Node) MapText(f func(string) string) *Node {
	c := *n
	if n.Kind == String {
		c.Text = f(n.Text)
	}
	c.Items = make([]*Node, len(n.Items))
	for i, item := range n.Items {
		c.Items[i] = item.MapText(f)
	}
	c.Entries = make([]Entry, len(n.Entries))
	for i, e := range n.Entries {
		e.Value = e.Value.MapText(f)
		c.Entries[i] = e
	}
	return &c
}

// Any is the value in the types of encoding/json, numbers as json.Number.
func (n *Node) Any() any {
	switch n.Kind {
	case Bool:
		return n.Text == "true"
	case Number:
		return json.Number(n.Text)
	case String:
		return n.Text
	case Array:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.Any()
		}
		return list
	case Object:
		m := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			m[e.Key] = e.Value.Any()
		}
		return m
	}
	return nil
}
