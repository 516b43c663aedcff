package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/metapipe/metapipe/pkg/text"
)

// Root is what must be known of the root before the tool runs.
type Root struct {
	Variables map[string]*tfconfig.Variable
	Backend   string       // the type of its backend block; empty: there is none
	Ephemeral []string     // ephemeral variables, which an apply must receive again
	state     []stateBlock // blocks that would decide where the state is kept, in place of ours
}

// declaresVariable finds the keyword. A file without it declares no variable;
// one with it may use the word for something else.
var declaresVariable = text.Pattern(`\bvariable\b`)

// inspected finds the keywords that inspect looks for.
var inspected = text.Pattern(`\b(cloud|state_store|backend|ephemeral)\b`)

// ReadRoot parses those files of the root module that may matter. To
// parse all of it is left to the tool, which explains mistakes better.
func ReadRoot(dir, tool string) (Root, error) {
	files, err := Files(dir, tool)
	if err != nil {
		return Root{}, err
	}
	if len(files) == 0 {
		return Root{}, fmt.Errorf("%s holds no %s configuration", dir, tool)
	}
	var m Root
	shown := moduleFS{FS: os.DirFS(dir), tool: tool, files: map[string]bool{}}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return Root{}, fmt.Errorf("read %s: %w", name, text.FileError(err))
		}
		// In JSON a keyword may be spelled with escapes.
		inJSON := strings.HasSuffix(name, ".json")
		shown.files[name] = inJSON || declaresVariable().Match(content)
		if inJSON || inspected().Match(content) {
			m.inspect(name, content)
		}
	}
	module, _ := tfconfig.LoadModuleFromFilesystem(tfconfig.WrapFS(shown), ".")
	m.Variables = module.Variables
	return m, nil
}

// inspect looks for what terraform-config-inspect does not report.
func (m *Root) inspect(name string, content []byte) {
	body := ParseFile(name, content)
	if body == nil {
		return
	}
	for _, block := range blocksOf(body, "terraform") {
		inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "cloud"}, {Type: "state_store", LabelNames: []string{"type"}},
			{Type: "backend", LabelNames: []string{"type"}}}})
		for _, found := range inner.Blocks {
			if found.Type == "backend" && !isOverride(name) {
				m.Backend = found.Labels[0]
				continue
			}
			m.state = append(m.state, stateBlock{kind: found.Type, at: found.DefRange})
		}
	}
	for _, block := range blocksOf(body, "variable", "name") {
		inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "ephemeral"}}})
		if attribute, ok := inner.Attributes["ephemeral"]; ok {
			if v, diags := attribute.Expr.Value(nil); !diags.HasErrors() && !v.IsNull() && v.IsWhollyKnown() && v.Type().FriendlyName() == "bool" && v.True() {
				m.Ephemeral = append(m.Ephemeral, block.Labels[0])
			}
		}
	}
}

// ParseFile returns nil for what cannot be parsed at all.
func ParseFile(name string, content []byte) hcl.Body {
	parser := hclparse.NewParser()
	var file *hcl.File
	if strings.HasSuffix(name, ".json") {
		file, _ = parser.ParseJSON(content, name)
	} else {
		file, _ = parser.ParseHCL(content, name)
	}
	if file == nil {
		return nil
	}
	return file.Body
}

func blocksOf(body hcl.Body, kind string, labels ...string) hcl.Blocks {
	content, _, _ := body.PartialContent(&hcl.BodySchema{
		Blocks: []hcl.BlockHeaderSchema{{Type: kind, LabelNames: labels}},
	})
	if content == nil {
		return nil
	}
	return content.Blocks
}

// Files lists the files of a module that the tool reads, sorted. OpenTofu
// prefers x.tofu to an x.tf beside it.
func Files(dir, tool string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && !ignoredFile(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return selectConfig(names, tool), nil
}

func selectConfig(names []string, tool string) []string {
	present := map[string]bool{}
	for _, name := range names {
		present[name] = true
	}
	var chosen []string
	for _, name := range names {
		base, isTF := cutAny(name, ".tf", ".tf.json")
		_, isTofu := cutAny(name, ".tofu", ".tofu.json")
		shadowed := tool == "tofu" && isTF && (present[base+".tofu"] && strings.HasSuffix(name, ".tf") || present[base+".tofu.json"] && strings.HasSuffix(name, ".tf.json"))
		if isTF && !shadowed || isTofu && tool == "tofu" {
			chosen = append(chosen, name)
		}
	}
	sort.Strings(chosen)
	return chosen
}

func cutAny(name string, suffixes ...string) (string, bool) {
	for _, suffix := range suffixes {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base, true
		}
	}
	return name, false
}

// IsCode reports the names of files that hold configuration for either tool.
func IsCode(name string) bool {
	_, code := cutAny(name, ".tf.json", ".tofu.json", ".tf", ".tofu")
	return code
}

// ignoredFile reports editors' leftovers, as the tool does.
func ignoredFile(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#")
}

// moduleFS shows the named files of a module, OpenTofu's own under names that
// terraform-config-inspect reads: x.tofu as x.tofu.tf.
type moduleFS struct {
	fs.FS
	tool  string
	files map[string]bool
}

func (m moduleFS) Open(name string) (fs.File, error) {
	file, err := m.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) && m.tool == "tofu" {
		if base, ok := strings.CutSuffix(name, ".tofu.tf"); ok {
			return m.FS.Open(base + ".tofu")
		}
		if base, ok := strings.CutSuffix(name, ".tofu.tf.json"); ok {
			return m.FS.Open(base + ".tofu.json")
		}
	}
	return file, err
}

// ReadDir implements fs.ReadDirFS.
func (m moduleFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(m.FS, name)
	if err != nil {
		return nil, err
	}
	var shown []fs.DirEntry
	for _, entry := range entries {
		switch {
		case !m.files[entry.Name()]:
		case m.tool == "tofu":
			shown = append(shown, renamed{entry, tofuToTF(entry.Name())})
		default:
			shown = append(shown, entry)
		}
	}
	return shown, nil
}

func tofuToTF(name string) string {
	if strings.HasSuffix(name, ".tofu") {
		return name + ".tf"
	}
	if base, ok := strings.CutSuffix(name, ".tofu.json"); ok {
		return base + ".tofu.tf.json"
	}
	return name
}

type renamed struct {
	fs.DirEntry
	name string
}

func (r renamed) Name() string { return r.name }

// Place undoes the renaming in a place that terraform-config-inspect named.
func Place(pos tfconfig.SourcePos) (string, int) {
	name := strings.Replace(filepath.ToSlash(pos.Filename), ".tofu.tf", ".tofu", 1)
	return name, pos.Line
}
