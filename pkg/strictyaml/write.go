package strictyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// JSON writes the value as compact JSON, keys in file order.
func (n *Node) JSON() (json.RawMessage, error) {
	var b bytes.Buffer
	if err := n.writeJSON(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (n *Node) writeJSON(b *bytes.Buffer) error {
	switch n.Kind {
	case String:
		return writeJSONText(b, n.Text)
	case Array:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case Object:
		b.WriteByte('{')
		for i, e := range n.Entries {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSONText(b, e.Key); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := e.Value.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		b.WriteString(n.Text)
	}
	return nil
}

func writeJSONText(b *bytes.Buffer, s string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("encode text: %w", err)
	}
	b.Truncate(b.Len() - 1) // the encoder's line feed
	return nil
}

// YAML writes the value as block YAML that readers of YAML 1.1 and 1.2 and
// Terraform's yamldecode understand alike: every key and text in double quotes,
// numbers in plain decimal digits, keys in file order.
func (n *Node) YAML() []byte {
	var b bytes.Buffer
	n.writeYAML(&b, 0)
	if n.inline() {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// inline reports whether the value fits behind its key.
func (n *Node) inline() bool { return len(n.Items) == 0 && len(n.Entries) == 0 }

func (n *Node) writeYAML(b *bytes.Buffer, indent int) {
	switch {
	case n.Kind == Array && len(n.Items) == 0:
		b.WriteString("[]")
	case n.Kind == Object && len(n.Entries) == 0:
		b.WriteString("{}")
	case n.Kind == Array:
		for i, item := range n.Items {
			if i > 0 {
				writeIndent(b, indent)
			}
			b.WriteString("- ")
			item.writeYAML(b, indent+2)
			endLine(b, item)
		}
	case n.Kind == Object:
		for i, e := range n.Entries {
			if i > 0 {
				writeIndent(b, indent)
			}
			writeYAMLText(b, e.Key)
			b.WriteByte(':')
			if e.Value.inline() {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
				writeIndent(b, indent+2)
			}
			e.Value.writeYAML(b, indent+2)
			endLine(b, e.Value)
		}
	case n.Kind == String:
		writeYAMLText(b, n.Text)
	default:
		b.WriteString(n.Text)
	}
}

func endLine(b *bytes.Buffer, n *Node) {
	if n.inline() {
		b.WriteByte('\n')
	}
}

func writeIndent(b *bytes.Buffer, n int) { b.WriteString(strings.Repeat(" ", n)) }

// writeYAMLText escapes what double quotes need; all other characters that a
// Node can hold are printable to every reader.
func writeYAMLText(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
