package starter

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/pkg/workflow"
	"github.com/metapipe/metapipe/workflows"
)

//go:embed files
var files embed.FS

// Environment is an environment of a new manager.
type Environment struct {
	Name  pipeline.Environment
	Gated bool
}

// Manager is what a new manager is made of. The names in it are valid in metapipe.yml: what is not is found by
// reading the file that comes of it.
type Manager struct {
	Environments   []Environment // in promotion order, at least one
	Tool           string        // terraform or tofu
	Bucket, Region string        // of the states; empty: no bucket, or the region of the environment
	StateDir       string        // of the states, in place of a bucket; empty: as metapipe chooses
}

// Last is the last environment, the one that a change reaches at the end.
func (m Manager) Last() pipeline.Environment { return m.Environments[len(m.Environments)-1].Name }

// Files are the files of the manager, by their slash-separated paths.
func (m Manager) Files() (map[string][]byte, error) {
	all := map[string][]byte{"metapipe.yml": m.config()}
	for name, from := range map[string]string{
		"terraform/main.tf": "main.tf", "schema/variables.schema.json": "variables.schema.json", "customers/README.md": "customers.md", "README.md": "README.md", ".gitignore": "gitignore",
	} {
		raw, err := fs.ReadFile(files, path.Join("files", from))
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
		all[name] = bytes.ReplaceAll(raw, []byte("{{ last }}"), []byte(m.Last()))
	}
	shipped, err := fs.Sub(workflows.Files, "manager")
	if err != nil {
		return nil, fmt.Errorf("read the shipped workflows: %w", err)
	}
	missing, err := workflow.Missing(fstest.MapFS{}, shipped)
	if err != nil {
		return nil, err
	}
	for name, raw := range missing {
		all[name] = raw
	}
	var chain []pipeline.Target
	for _, e := range m.Environments {
		chain = append(chain, pipeline.Target{Environment: e.Name})
	}
	all[workflow.File], err = workflow.Write(all[workflow.File], chain)
	return all, err
}

// config is metapipe.yml.
func (m Manager) config() []byte {
	var b bytes.Buffer
	b.WriteString(configHead)
	for _, e := range m.Environments {
		fmt.Fprintf(&b, "  - name: %s\n", e.Name)
		if e.Gated {
			fmt.Fprintf(&b, "    gated: true # an apply waits for a reviewer of the environment %s-apply\n", e.Name)
		}
	}
	switch {
	case m.Bucket != "":
		fmt.Fprintf(&b, "\nstate:\n  bucket: %s\n", quote(m.Bucket))
		if m.Region != "" {
			fmt.Fprintf(&b, "  region: %s\n", quote(m.Region))
		}
	case m.StateDir != "":
		fmt.Fprintf(&b, "\nstate:\n  directory: %s\n", quote(m.StateDir))
	default:
		b.WriteString(noState)
	}
	fmt.Fprintf(&b, "\ntool:\n  name: %s\n\nschema: schema/variables.schema.json\ntrust: required\n", m.Tool)
	return b.Bytes()
}

const (
	configHead = `# yaml-language-server: $schema=https://raw.githubusercontent.com/metapipe/metapipe/main/pkg/config/schema/metapipe.schema.json
# What you decide for all customers. docs/CONFIGURATION.md of metapipe lists every key.
environments: # in promotion order
`
	noState = `
# States and plans are in the bucket that the variable TF_STATE_BUCKET names, or on a
# machine without that variable in the directory .metapipe/state.
# state: {bucket: NAME, region: REGION}
`
)

// quote is a text as a scalar of YAML: plain where that says the same, else as in JSON.
func quote(s string) string {
	if plainScalar().MatchString(s) {
		return s
	}
	raw, _ := json.Marshal(s) // no text is without a form in JSON
	return string(raw)
}

var plainScalar = text.Pattern(`^[a-z/][a-z0-9./-]*$`)
