package pulumi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxState bounds a state, in bytes.
const maxState = 512 << 20

// checkpoint is the state of a stack, as the backend keeps it.
type checkpoint struct {
	Version    int `json:"version"`
	Checkpoint struct {
		Stack  string      `json:"stack"`
		Latest *deployment `json:"latest"`
	} `json:"checkpoint"`
}

type deployment struct {
	Manifest struct {
		Time time.Time `json:"time"`
	} `json:"manifest"`
	SecretsProviders *struct {
		Type  string          `json:"type"`
		State json.RawMessage `json:"state"`
	} `json:"secrets_providers"`
	Resources []stored `json:"resources"`
	Pending   []struct {
		Resource stored `json:"resource"`
		Type     string `json:"type"`
	} `json:"pending_operations"`
}

// stored is a resource of a state.
type stored struct {
	URN      string          `json:"urn"`
	Type     string          `json:"type"`
	External bool            `json:"external"`
	Created  string          `json:"created"`
	Inputs   json.RawMessage `json:"inputs"`
	Outputs  json.RawMessage `json:"outputs"`
}

// The types of resources that Pulumi itself keeps.
const (
	rootType       = "pulumi:pulumi:Stack"
	providerPrefix = "pulumi:providers:"
)

// errDamaged is a state that is none.
var errDamaged = errors.New("it is no state of Pulumi")

// readCheckpoint reads a state; an empty one has no Latest.
func readCheckpoint(content []byte) (checkpoint, error) {
	var c checkpoint
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) { // of a run by hand that compresses
		unzipped, err := gzip.NewReader(bytes.NewReader(content))
		if err == nil {
			content, err = io.ReadAll(io.LimitReader(unzipped, maxState))
		}
		if err != nil {
			return c, fmt.Errorf("%w: it is not compressed well", errDamaged)
		}
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("%w: it is no JSON of that form", errDamaged)
	}
	if c.Version < 1 || c.Version > 4 || c.Checkpoint.Stack == "" {
		return c, fmt.Errorf("%w: it has another version or no name", errDamaged)
	}
	return c, nil
}

// record is the version of a state. Pulumi writes no serial: the time of the last write is
// one. A state that holds nothing is none: a stack that was just made, or was destroyed.
func (c checkpoint) record() pipeline.StateRecord {
	latest := c.Checkpoint.Latest
	if latest == nil || len(latest.Resources)+len(latest.Pending) == 0 {
		return pipeline.StateRecord{}
	}
	lineage, count := c.Checkpoint.Stack, 0
	for _, r := range latest.Resources {
		switch {
		case r.Type == rootType:
			lineage += "@" + r.Created
		case !r.External && !strings.HasPrefix(r.Type, providerPrefix):
			count++
		}
	}
	return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: lineage, Serial: uint64(latest.Manifest.Time.UnixNano())}, Resources: count}
}

// salt is that of the secrets of the state; empty: it has none.
func (c checkpoint) salt() (string, error) {
	latest := c.Checkpoint.Latest
	if latest == nil || latest.SecretsProviders == nil || latest.SecretsProviders.Type == "" {
		return "", nil
	}
	if latest.SecretsProviders.Type != "passphrase" {
		return "", pipeline.Usagef("the secrets of the state are encrypted by %s, not by a passphrase of metapipe", pipeline.Quote(latest.SecretsProviders.Type)).
			Nextf("change the secrets provider of the stack to `passphrase`: see docs/PULUMI.md of metapipe")
	}
	var state struct {
		Salt string `json:"salt"`
	}
	if err := json.Unmarshal(latest.SecretsProviders.State, &state); err != nil || state.Salt == "" {
		return "", fmt.Errorf("%w: its secrets provider has no salt", errDamaged)
	}
	return state.Salt, nil
}

// root is the resource of the stack itself, whose outputs are those of the stack.
func (c checkpoint) root() (stored, bool) {
	if c.Checkpoint.Latest != nil {
		for _, r := range c.Checkpoint.Latest.Resources {
			if r.Type == rootType {
				return r, true
			}
		}
	}
	return stored{}, false
}

// The marks of special values in JSON of Pulumi.
// https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
const (
	markKey    = "4dabf18193072939515e22adb298388d"
	markSecret = "1b47061264138c4ac30d75fd1eb44270"
)

// reveal decrypts the secrets in a value of a state or a plan, and adds them to found as they
// are met. The second result are the marks of what is sensitive.
func (c *crypter) reveal(value any, found func(any)) (clear, marks any, err error) {
	switch v := value.(type) {
	case map[string]any:
		if v[markKey] == markSecret {
			clear, err := c.revealOne(v)
			if err == nil {
				found(clear)
			}
			return clear, true, err
		}
		all, marked := make(map[string]any, len(v)), map[string]any{}
		for key, member := range v {
			var mark any
			if all[key], mark, err = c.reveal(member, found); err != nil {
				return nil, nil, err
			}
			if mark != nil {
				marked[key] = mark
			}
		}
		if len(marked) == 0 {
			return all, nil, nil
		}
		return all, marked, nil
	case []any:
		all, marked, some := make([]any, len(v)), make([]any, len(v)), false
		for i, item := range v {
			if all[i], marked[i], err = c.reveal(item, found); err != nil {
				return nil, nil, err
			}
			some = some || marked[i] != nil
		}
		if !some {
			return all, nil, nil
		}
		return all, marked, nil
	}
	return value, nil, nil
}

func (c *crypter) revealOne(secret map[string]any) (any, error) {
	text, isPlain := secret["plaintext"].(string)
	if !isPlain {
		sealed, isText := secret["ciphertext"].(string)
		if !isText {
			return nil, errors.New("a secret of the state has not the form of one")
		}
		var err error
		if text, err = c.decrypt(sealed); err != nil {
			return nil, err
		}
	}
	value, err := jsonvalue.Decode(json.RawMessage(text))
	if err != nil {
		return nil, errors.New("a secret of the state is no JSON")
	}
	return value, nil
}
