package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
)

// unsafeYAML writes a JSON value as YAML in which every string is data: Ansible evaluates
// templates in the values of variables, but for those with this tag. A tag on a key is lost as
// soon as a playbook makes a list of keys, so keys in which a template could begin are an error.
func unsafeYAML(raw json.RawMessage) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := writeUnsafe(&out, value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeUnsafe(out *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case map[string]any:
		out.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteByte(',')
			}
			// Keys that Ansible itself reads in data, and those that it would evaluate.
			if strings.HasPrefix(key, "__ansible") || strings.Contains(key, "{") {
				return fmt.Errorf("the key %q has a meaning for Ansible", key)
			}
			out.Write(jsonvalue.AppendYAMLKey(nil, key))
			if err := writeUnsafe(out, v[key]); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeUnsafe(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case string:
		out.WriteString("!unsafe ")
		out.Write(jsonvalue.AppendYAMLString(nil, v))
	case json.Number:
		out.WriteString(v.String())
	case bool:
		fmt.Fprint(out, v)
	default:
		out.WriteString("null")
	}
	return nil
}
