package pipeline

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
)

// credential matches what can log somebody in: a JSON web token, and the tokens
// of GitHub (https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats).
var credential = regexp.MustCompile(`[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{8,}|gh[a-z]_[A-Za-z0-9_]{16,}|github_pat_[A-Za-z0-9_]{16,}`)

const removedMark = "(a token was removed)"

// WithoutToken is the payload of a refused request as it may be kept: without its
// proof, and without anything that looks like a token in another place. A token is
// a credential, even a short-lived one. A payload may be refused for the case
// of a name, so proof counts in any case. What is no JSON object is not kept.
func WithoutToken(payload json.RawMessage) json.RawMessage {
	var properties map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&properties) != nil {
		return nil
	}
	maps.DeleteFunc(properties, func(name string, _ any) bool { return strings.EqualFold(name, "proof") })
	b, err := json.Marshal(withoutCredentials(properties))
	if err != nil {
		return nil
	}
	return b
}

// withoutCredentials replaces tokens in strings and keys at any depth.
func withoutCredentials(value any) any {
	switch v := value.(type) {
	case string:
		return credential.ReplaceAllString(v, removedMark)
	case []any:
		for i := range v {
			v[i] = withoutCredentials(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, inner := range v {
			clean[credential.ReplaceAllString(key, removedMark)] = withoutCredentials(inner)
		}
		return clean
	}
	return value
}
