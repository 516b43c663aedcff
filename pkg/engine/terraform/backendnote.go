package terraform

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// noteFile is the file in a data directory in which a tool notes its backend.
const noteFile = "terraform.tfstate"

// noteFormat is the version of that file's format.
const noteFormat = 3

// noteVersions are the releases whose note is written for them. The note is private to
// the tool, so these are the series that the tests run with. To add one, run the tests
// of this package with METAPIPE_TEST_TERRAFORM or METAPIPE_TEST_TOFU set to a binary of
// that series. Any other version initializes each target by itself.
var noteVersions = map[string]string{
	"terraform": "~> 1.11.0",
	"tofu":      "~> 1.12.0",
}

// writesNotes reports whether the note may be written for this tool. Pre-releases do
// not count.
func writesNotes(t tool.Binary) bool {
	rule, ok := noteVersions[t.Name]
	if !ok {
		return false
	}
	tested, err := version.NewConstraint(rule)
	if err != nil {
		return false
	}
	v, err := version.NewVersion(t.Version)
	return err == nil && tested.Check(v)
}

// backendNote is what the tool notes about its backend.
type backendNote struct {
	Version     int    `json:"version"`
	ToolVersion string `json:"terraform_version,omitempty"`
	Backend     struct {
		Type   string         `json:"type"`
		Config map[string]any `json:"config"`
		Hash   *uint64        `json:"hash"` // of the block in the root module
	} `json:"backend"`
}

// backendTemplate is the note that the tool made when it was initialized with
// arguments. It is nil inside where the note does not have the expected shape.
type backendTemplate struct {
	arguments map[string]string
	note      *backendNote
}

// readTemplate reads the note that init wrote for a backend. One that is missing, or
// has another shape, gives a template that cannot be filled.
func readTemplate(file string, backend pipeline.Backend) *backendTemplate {
	content, err := os.ReadFile(file)
	if err != nil {
		return &backendTemplate{}
	}
	return newTemplate(content, backend)
}

// newTemplate accepts a note in which every key is known and each argument of the
// backend is set.
func newTemplate(content []byte, backend pipeline.Backend) *backendTemplate {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	var note backendNote
	if decoder.Decode(&note) != nil {
		return &backendTemplate{}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &backendTemplate{}
	}
	b := note.Backend
	if note.Version != noteFormat || b.Type != backend.Type || b.Config == nil || b.Hash == nil {
		return &backendTemplate{}
	}
	for name := range backend.Config {
		if b.Config[name] == nil {
			return &backendTemplate{}
		}
	}
	return &backendTemplate{arguments: backend.Config, note: &note}
}

// fill writes the note for other arguments. It is false where the note does not
// hold each of the template's arguments as it was given.
func (t *backendTemplate) fill(arguments map[string]string) ([]byte, bool) {
	if t.note == nil || len(arguments) != len(t.arguments) {
		return nil, false
	}
	note := *t.note
	config := maps.Clone(note.Backend.Config)
	note.Backend.Config = config
	for name, value := range arguments {
		before, known := t.arguments[name]
		if !known {
			return nil, false
		}
		if before == value {
			continue
		}
		if config[name] != before {
			return nil, false
		}
		config[name] = value
	}
	// Nothing of the first target may be left, also not in what the tool derived.
	for name, before := range t.arguments {
		if arguments[name] != before && len(before) > 3 && !slices.ContainsFunc(valuesOf(arguments), func(v string) bool { return strings.Contains(v, before) }) &&
			holdsText(config, before) {
			return nil, false
		}
	}
	content, err := json.MarshalIndent(note, "", "  ")
	return content, err == nil
}

// holdsText reports whether a text in decoded JSON contains another one.
func holdsText(value any, text string) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, text)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return holdsText(e, text) })
	case map[string]any:
		for _, e := range v {
			if holdsText(e, text) {
				return true
			}
		}
	}
	return false
}

func valuesOf(m map[string]string) []string {
	return slices.Collect(maps.Values(m))
}
