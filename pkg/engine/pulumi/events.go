package pulumi

import (
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
)

// event is one line of the log of events of the CLI.
// https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
type event struct {
	Diagnostic *diagnosticEvent `json:"diagnosticEvent"`
	Pre        *stepEvent       `json:"resourcePreEvent"`
	Outputs    *stepEvent       `json:"resOutputsEvent"`
	Failed     *stepEvent       `json:"resOpFailedEvent"`
	Summary    *summaryEvent    `json:"summaryEvent"`
	Policy     *policyEvent     `json:"policyEvent"`
	Error      *struct {
		Error string `json:"error"`
	} `json:"errorEvent"`
}

type diagnosticEvent struct {
	URN       string `json:"urn"`
	Prefix    string `json:"prefix"`
	Message   string `json:"message"`
	Severity  string `json:"severity"` // info, info#err, warning or error
	Ephemeral bool   `json:"ephemeral"`
}

type policyEvent struct {
	URN     string `json:"resourceUrn"`
	Message string `json:"message"`
	Name    string `json:"policyName"`
	Level   string `json:"enforcementLevel"`
}

type summaryEvent struct {
	Result  string         `json:"result"`
	Changes map[string]int `json:"resourceChanges"`
}

type stepEvent struct {
	Metadata step `json:"metadata"`
}

// step is what the tool does, or would do, to one resource.
type step struct {
	Op       string                  `json:"op"`
	URN      string                  `json:"urn"`
	Type     string                  `json:"type"`
	Old      *side                   `json:"old"`
	New      *side                   `json:"new"`
	Keys     []string                `json:"keys"` // that force a replacement
	Diffs    []string                `json:"diffs"`
	Detailed map[string]propertyDiff `json:"detailedDiff"`
	Logical  bool                    `json:"logical"`
	Provider string                  `json:"provider"`
}

type propertyDiff struct {
	Kind      string `json:"diffKind"`
	InputDiff bool   `json:"inputDiff"`
}

// side is a resource before or after a step.
type side struct {
	Type           string          `json:"type"`
	Custom         bool            `json:"custom"`
	External       bool            `json:"external"`
	RetainOnDelete bool            `json:"retainOnDelete"`
	ID             string          `json:"id"`
	Provider       string          `json:"provider"`
	Inputs         json.RawMessage `json:"inputs"`
	Outputs        json.RawMessage `json:"outputs"`
}

// unknownText stands in an event for a value that is not known yet.
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

// isUnknown reports the texts that stand for unknown values: of each kind of value there is one.
func isUnknown(text string) bool {
	switch text {
	case unknownText,
		"1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // bool
		"3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
		"6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
		"030794c1-ac77-496b-92df-f27374a8bd58", // asset
		"e48ece36-62e2-4504-bad9-02848725956a", // archive
		"dd056dcd-154b-4c76-9bd3-c8f88648b5ff": // object
		return true
	}
	return false
}

// properties are inputs or outputs of an event with the marks of what is secret and of what
// is not known. What begins with __ is the tool's own.
func properties(raw json.RawMessage) (jsonvalue.Side, error) {
	value, err := jsonvalue.Decode(raw)
	if err != nil {
		return jsonvalue.Side{}, fmt.Errorf("properties of a resource: %w", err)
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return jsonvalue.Side{}, nil
	}
	delete(object, "__defaults")
	clean, sensitive, unknown := marked(object)
	return jsonvalue.Side{Value: clean, Present: true, Sensitive: sensitive, Unknown: unknown}, nil
}

// marked takes the marks out of a value. Where something is sensitive its value is not there.
func marked(value any) (clean, sensitive, unknown any) {
	switch v := value.(type) {
	case string:
		if isUnknown(v) {
			return nil, nil, true
		}
	case map[string]any:
		if v[markKey] == markSecret {
			return jsonvalue.SensitiveText, true, nil
		}
		all, secret, open := make(map[string]any, len(v)), map[string]any{}, map[string]any{}
		for key, member := range v {
			if key == "__defaults" || key == markKey {
				continue
			}
			c, s, u := marked(member)
			if u != true {
				all[key] = c
			}
			if s != nil {
				secret[key] = s
			}
			if u != nil {
				open[key] = u
			}
		}
		return all, orNil(secret), orNil(open)
	case []any:
		all, secret, open := make([]any, len(v)), make([]any, len(v)), make([]any, len(v))
		anySecret, anyOpen := false, false
		for i, item := range v {
			all[i], secret[i], open[i] = marked(item)
			anySecret, anyOpen = anySecret || secret[i] != nil, anyOpen || open[i] != nil
		}
		if !anySecret {
			sensitive = nil
		} else {
			sensitive = secret
		}
		if anyOpen {
			unknown = open
		}
		return all, sensitive, unknown
	}
	return value, nil, nil
}

func orNil(marks map[string]any) any {
	if len(marks) == 0 {
		return nil
	}
	return marks
}
