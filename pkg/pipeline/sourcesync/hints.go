package sourcesync

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The types of repository_dispatch that say that something has changed in a source.
const (
	EventBilling        = "billing_update"
	EventTeamRename     = "team_rename"
	EventReorganization = "team_reorganization"
)

// Events are all of them.
var Events = []string{EventBilling, EventTeamRename, EventReorganization}

// Hint says where to look. What an event says that has changed is never written: the source is read.
type Hint struct {
	Repository string // owner/name; empty: all
	People     bool   // the sources that know teams and people
}

// maxHintName is the size of the longest name in a payload.
const maxHintName = 200

// ParseHint reads the payload of a repository_dispatch. Whoever sends it chooses all of it.
func ParseHint(event string, payload []byte) (Hint, error) {
	fields, known := map[string][]string{
		EventBilling:        {"customer_repo", "new_tier"},
		EventTeamRename:     {"old_team", "new_team"},
		EventReorganization: {"organization"},
	}[event]
	if !known {
		return Hint{}, fmt.Errorf("the event %s is none of: %s", pipeline.Quote(event), strings.Join(Events, ", "))
	}
	var values map[string]json.RawMessage
	if len(payload) > 0 {
		if err := pipeline.DecodeExact(payload, &values); err != nil {
			return Hint{}, fmt.Errorf("client_payload of %s is no object: %w", event, err)
		}
	}
	texts := map[string]string{}
	for name, raw := range values {
		if !slices.Contains(fields, name) {
			return Hint{}, fmt.Errorf("client_payload of %s has the field %s; known are: %s", event, pipeline.Quote(name), strings.Join(fields, ", "))
		}
		var s *string
		if err := json.Unmarshal(raw, &s); err != nil || s == nil || len(*s) > maxHintName || pipeline.PlainLine(*s) != *s {
			return Hint{}, fmt.Errorf("%s in client_payload of %s is no short line of text", name, event)
		}
		texts[name] = *s
	}
	if event != EventBilling {
		return Hint{People: true}, nil
	}
	if _, err := pipeline.ParseSlug(texts["customer_repo"]); err != nil {
		return Hint{}, fmt.Errorf("customer_repo in client_payload of %s: %w", event, err)
	}
	return Hint{Repository: texts["customer_repo"]}, nil
}

// About are the sources that know teams and people.
func (h Hint) About(c Config) (names []string) {
	if !h.People {
		return nil
	}
	for _, s := range c.Sources {
		if s.Type == Teams || s.Type == LDAP {
			names = append(names, s.Name)
		}
	}
	return names
}
