package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/text"
)

// Root is what must be known of the root before the tool runs.
type Root struct {
	Variables map[string]Variable
	Backend   string       // the type of its backend block; empty: there is none
	Ephemeral []string     // ephemeral variables, which an apply must receive again
	state     []stateBlock // blocks that would decide where the state is kept, in place of ours
}

// Variable is an input variable of the root.
type Variable struct {
	Required  bool // it has no default
	Sensitive bool
	Default   any // as JSON has it; nil also where it cannot be evaluated alone
	File      string
	Line      int
}

// inspected finds the keywords that inspect looks for. A file without them declares nothing of it;
// one with them may use the word for something else.
var inspected = text.Pattern(`\b(cloud|state_store|backend|variable)\b`)

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
	m := Root{Variables: map[string]Variable{}}
	// An override file changes what the others declare, whatever its name.
	slices.SortStableFunc(files, func(a, b string) int { return order(a) - order(b) })
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return Root{}, fmt.Errorf("read %s: %w", name, text.FileError(err))
		}
		// In JSON a keyword may be spelled with escapes.
		if strings.HasSuffix(name, ".json") || inspected().Match(content) {
			m.inspect(name, content)
		}
	}
	return m, nil
}

func order(name string) int {
	if isOverride(name) {
		return 1
	}
	return 0
}

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
		m.variable(name, block)
	}
}

// variable reads a declaration, or the part of it that an override file writes anew.
func (m *Root) variable(file string, block *hcl.Block) {
	inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "default"}, {Name: "sensitive"}, {Name: "ephemeral"}}})
	name := block.Labels[0]
	v, declared := m.Variables[name]
	if !declared || !isOverride(file) {
		v = Variable{Required: true, File: file, Line: block.DefRange.Start.Line}
	}
	if attribute, ok := inner.Attributes["default"]; ok {
		v.Required, v.Default = false, plainValue(attribute.Expr)
	}
	if attribute, ok := inner.Attributes["sensitive"]; ok {
		v.Sensitive = plainValue(attribute.Expr) == true
	}
	if attribute, ok := inner.Attributes["ephemeral"]; ok && plainValue(attribute.Expr) == true {
		m.Ephemeral = append(m.Ephemeral, name)
	}
	m.Variables[name] = v
}

// plainValue is the value of an expression without references, as JSON has it; nil: there is none.
func plainValue(expr hcl.Expression) any {
	value, diagnostics := expr.Value(nil)
	if diagnostics.HasErrors() || !value.IsWhollyKnown() || value.ContainsMarked() {
		return nil
	}
	raw, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		return nil
	}
	plain, err := jsonvalue.Decode(raw)
	if err != nil {
		return nil
	}
	return plain
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
