package pipeline

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"unicode"
)

// NeedsOf are the stacks whose outputs a stack reads, in the order of metapipe.yml.
func (m Manager) NeedsOf(stack StackName) []StackName {
	rule, _ := m.Stack(stack)
	return rule.Needs
}

// Needed are the targets whose outputs t reads: stacks of the same customer and environment,
// in the order of metapipe.yml.
func (c Customer) Needed(t Target) []Target {
	var needed []Target
	for _, stack := range c.Manager.NeedsOf(t.Stack) {
		needed = append(needed, Target{Customer: t.Customer, Environment: t.Environment, Stack: stack})
	}
	return needed
}

// NeededBy are the targets of the customer that read the outputs of t, in the order of
// metapipe.yml.
func (c Customer) NeededBy(t Target) []Target {
	var readers []Target
	for _, stack := range c.StackNames() {
		if slices.Contains(c.Manager.NeedsOf(stack), t.Stack) {
			readers = append(readers, Target{Customer: t.Customer, Environment: t.Environment, Stack: stack})
		}
	}
	return readers
}

// OutputValue is a root output of a stack for another stack that needs it, in clear.
type OutputValue struct {
	Name string `json:"name"`
	// Value is JSON text; nil where the value is not known yet: a plan computes it, or
	// changes it.
	Value     json.RawMessage `json:"value,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// Known reports whether the output has the value already.
func (o OutputValue) Known() bool { return o.Value != nil }

// NeededOutputs are the outputs of one stack, as the plan of another stack may use them.
type NeededOutputs struct {
	Stack  StackName
	Values []OutputValue // ordered by name
	// Unknown says why nothing is known of the outputs; empty where Values are all of them.
	Unknown string
}

// Bounds of the outputs of one stack.
const (
	maxOutputs      = 500
	maxOutputsBytes = 1 << 20 // of all names and values together
	maxOutputName   = 200     // bytes
)

// CheckOutputs refuses outputs that cannot be passed on to another stack: too many, too
// large, two with one name, or a name that no tool can have written.
func CheckOutputs(outputs []OutputValue) error {
	if len(outputs) > maxOutputs {
		return fmt.Errorf("%d outputs are more than %d", len(outputs), maxOutputs)
	}
	size, seen := 0, map[string]bool{}
	for _, o := range outputs {
		if !isIdentifier(o.Name) {
			return fmt.Errorf("%s is not the name of an output", Quote(o.Name))
		}
		if seen[o.Name] {
			return fmt.Errorf("the output %s is there twice", Quote(o.Name))
		}
		if o.Value != nil && !json.Valid(o.Value) {
			return fmt.Errorf("the value of the output %s is no JSON", Quote(o.Name))
		}
		seen[o.Name] = true
		if size += len(o.Name) + len(o.Value); size > maxOutputsBytes {
			return fmt.Errorf("the outputs have more than %d bytes", maxOutputsBytes)
		}
	}
	return nil
}

// isIdentifier reports whether Terraform takes the name: letters, digits, _ and -, with a
// letter or _ first.
func isIdentifier(name string) bool {
	for i, c := range name {
		first := unicode.IsLetter(c) || c == '_'
		if !first && (i == 0 || c != '-' && !unicode.IsDigit(c) && !unicode.IsMark(c)) {
			return false
		}
	}
	return name != "" && len(name) <= maxOutputName
}

// EncodeOutputs is the one encoding of outputs, in the order of their names. ParseOutputs
// reads it.
func EncodeOutputs(outputs []OutputValue) ([]byte, error) {
	if err := CheckOutputs(outputs); err != nil {
		return nil, err
	}
	sorted := []OutputValue{}
	for _, o := range outputs {
		if o.Value != nil {
			var err error
			if o.Value, err = canonicalJSON(o.Value); err != nil {
				return nil, err
			}
		}
		sorted = append(sorted, o)
	}
	slices.SortFunc(sorted, func(a, b OutputValue) int { return strings.Compare(a.Name, b.Name) })
	return json.Marshal(sorted)
}

// canonicalJSON writes a value in one way: a plan and a state spell the same one differently.
func canonicalJSON(raw json.RawMessage) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// ParseOutputs decodes what EncodeOutputs wrote, and refuses everything else.
func ParseOutputs(b []byte) ([]OutputValue, error) {
	if len(b) > 2*maxOutputsBytes {
		return nil, fmt.Errorf("outputs: %d bytes are more than any stack has", len(b))
	}
	var outputs []OutputValue
	if err := DecodeKnown(b, &outputs); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	if err := CheckOutputs(outputs); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	if !slices.IsSortedFunc(outputs, func(a, b OutputValue) int { return strings.Compare(a.Name, b.Name) }) {
		return nil, fmt.Errorf("outputs: they are not in the order of their names")
	}
	return outputs, nil
}

// SumNeeded is the keyed digest of outputs that a plan was made from, as the receipt holds
// it; empty where none are needed. It is keyed, since a plain digest would let a reader of
// the store try out short secrets.
func SumNeeded(mac func() hash.Hash, needed []NeededOutputs) (string, error) {
	if len(needed) == 0 {
		return "", nil
	}
	h := mac()
	for _, n := range needed {
		b, err := EncodeOutputs(n.Values)
		if err != nil {
			return "", fmt.Errorf("the outputs of %s: %w", n.Stack, err)
		}
		fmt.Fprintf(h, "needed outputs\x00%s\x00%d\x00", n.Stack, len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// DeferredError says that a target was not planned: its root refers to outputs of other
// stacks that are not known yet.
type DeferredError struct {
	Message string
	// Waits name each place of the root that refers to such an output.
	Waits []Diagnostic
}

func (e *DeferredError) Error() string { return e.Message }
