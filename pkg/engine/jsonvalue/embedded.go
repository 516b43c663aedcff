package jsonvalue

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxJSONText is the longest text, in bytes, that is compared as JSON.
const maxJSONText = 1 << 20

// Embedded decodes a text that holds an object or a list, and nothing else. A name
// that stands twice in an object makes it plain text.
func Embedded(s Side) (any, bool) {
	text, ok := s.Value.(string)
	if !ok || !s.Present || ContainsTrue(s.Unknown) || ContainsTrue(s.Sensitive) || len(text) > maxJSONText {
		return nil, false
	}
	if text = strings.TrimSpace(text); text == "" || text[0] != '{' && text[0] != '[' {
		return nil, false
	}
	reader := NewReader(strings.NewReader(text))
	if err := reader.distinct(); err != nil {
		return nil, false
	}
	if _, err := reader.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	value, err := Decode(json.RawMessage(text))
	return value, err == nil
}

// distinct reads one value. It fails where a name stands twice in an object.
func (r *Reader) distinct() error {
	var open []map[string]bool // per object or list that is open; nil for a list
	name := false
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return noEOF(err)
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch t := token.(type) {
		case json.Delim:
			switch {
			case t == '}' || t == ']':
				open = open[:len(open)-1]
			case t == '{':
				open = append(open, map[string]bool{})
			default:
				open = append(open, nil)
			}
			if len(open) > maxDepth {
				return errors.New("it is nested too deeply")
			}
			name = len(open) > 0 && open[len(open)-1] != nil
		case string:
			if !inObject || !name {
				name = inObject
				break
			}
			seen := open[len(open)-1]
			if seen[t] {
				return errors.New("a name stands twice")
			}
			seen[t], name = true, false
		default:
			name = inObject
		}
		if len(open) == 0 {
			return nil
		}
	}
}
