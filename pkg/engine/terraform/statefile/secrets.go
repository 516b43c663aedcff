package statefile

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
)

// AddSecrets adds the sensitive values of a state file, version 4: those that the state
// marks, and those at marks by the address of their resource.
func AddSecrets(state io.Reader, set redact.Secrets, marks map[string]any) error {
	reader := stateReader{Reader: jsonvalue.NewReader(state), secrets: set, marks: marks}
	if err := reader.Object(reader.section); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	return nil
}

// stateReader gathers the secrets of a state file, version 4.
type stateReader struct {
	jsonvalue.Reader
	secrets redact.Secrets
	marks   map[string]any // by address, beside those that the state holds
}

func (s *stateReader) section(key string) error {
	switch {
	case strings.EqualFold(key, "resources"): // as the tools read it
		return s.Array(s.resource)
	case strings.EqualFold(key, "outputs"):
		return s.Object(func(string) error {
			var o struct {
				Sensitive bool            `json:"sensitive"`
				Value     json.RawMessage `json:"value"`
			}
			if err := s.Decode(&o); err != nil || !o.Sensitive {
				return err
			}
			return s.secrets.AddRaw(o.Value)
		})
	}
	return s.Skip()
}

// stateInstance is one instance of a resource. A path is a list of steps, each
// an attribute's name or an index.
type stateInstance struct {
	Key        any        `json:"index_key"`
	Attributes any        `json:"attributes"`
	Sensitive  [][]anStep `json:"sensitive_attributes"`
}

type anStep struct {
	Value any `json:"value"`
}

func (s *stateReader) resource() error {
	var r struct {
		Module    string          `json:"module"`
		Mode      string          `json:"mode"`
		Type      string          `json:"type"`
		Name      string          `json:"name"`
		Instances []stateInstance `json:"instances"`
	}
	if err := s.Decode(&r); err != nil {
		return err
	}
	address := r.Type + "." + r.Name
	if r.Mode == "data" {
		address = "data." + address
	}
	if r.Module != "" {
		address = r.Module + "." + address
	}
	for _, instance := range r.Instances {
		for _, path := range instance.Sensitive {
			s.secrets.AddAll(valueAt(instance.Attributes, path))
		}
		s.secrets.AddMarked(instance.Attributes, s.marks[address+indexText(instance.Key)])
	}
	return nil
}

// valueAt follows a path; where it ends early the whole rest is meant.
func valueAt(value any, path []anStep) any {
	for _, step := range path {
		key := step.Value
		if typed, ok := key.(map[string]any); ok { // an index with its type
			key = typed["value"]
		}
		switch v := value.(type) {
		case map[string]any:
			name, ok := key.(string)
			if !ok {
				return value
			}
			value = v[name]
		case []any:
			number, ok := key.(json.Number)
			if !ok {
				return value
			}
			i, err := number.Int64()
			if err != nil || i < 0 || i >= int64(len(v)) {
				return value
			}
			value = v[i]
		}
	}
	return value
}

// indexText is the end of an address: [0] or ["key"].
func indexText(key any) string {
	switch k := key.(type) {
	case json.Number:
		return "[" + k.String() + "]"
	case string:
		quoted := string(jsonvalue.AppendString(nil, k))
		return "[" + strings.ReplaceAll(strings.ReplaceAll(quoted, "${", "$${"), "%{", "%%{") + "]"
	}
	return ""
}
