package trace

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
)

// scope returns the module in dir, nil when the root does not lead there.
func (t *Tracer) scope(dir string) *scope {
	if t.scopes == nil {
		t.scopes = map[string]*scope{}
		root := t.load(t.rootDir())
		root.root = true
		for queue := []*scope{root}; len(queue) > 0 && len(t.scopes) < maxModules; queue = queue[1:] {
			for _, call := range queue[0].calls {
				callee, known := t.scopes[call.dir]
				if !known {
					callee = t.load(call.dir)
					queue = append(queue, callee)
				}
				callee.callers = append(callee.callers, caller{queue[0], call})
			}
		}
	}
	return t.scopes[dir]
}

// load parses one module. Files that cannot be read hold nothing to follow.
func (t *Tracer) load(dir string) *scope {
	s := &scope{dir: dir, locals: map[string]hclsyntax.Expression{}, resources: map[string]*hclsyntax.Body{},
		outputs: map[string]hclsyntax.Expression{}, sensitive: map[string]bool{}, variables: map[string]*hclsyntax.Body{}}
	t.scopes[dir] = s
	full := filepath.Join(t.Tree, filepath.FromSlash(dir))
	names, err := module.Files(full, t.Tool)
	if err != nil {
		return s
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(full, name))
		if err != nil {
			continue
		}
		if body, ok := module.ParseFile(name, content).(*hclsyntax.Body); ok {
			s.read(body)
			s.repeat(path.Join(dir, name), body)
		}
	}
	return s
}

// repeat notes the resources, and the blocks that have a for_each.
func (s *scope) repeat(file string, body *hclsyntax.Body) {
	for _, block := range body.Blocks {
		if (block.Type == "resource" || block.Type == "data") && len(block.Labels) == 2 {
			s.blocks = append(s.blocks, resourceBlock{file: file, from: block.Range().Start.Line, to: block.Body.EndRange.Start.Line, body: block.Body})
			if block.Type == "resource" {
				s.resources[block.Labels[0]+"."+block.Labels[1]] = block.Body
			}
		}
		if each, ok := block.Body.Attributes["for_each"]; ok {
			s.repeated = append(s.repeated, repeated{file: file, from: block.Range().Start.Line, to: block.Body.EndRange.Start.Line, each: each.Expr})
		}
	}
}

func (s *scope) read(body *hclsyntax.Body) {
	for _, block := range body.Blocks {
		s.note(block)
		switch block.Type {
		case "locals":
			for name, attribute := range block.Body.Attributes {
				s.locals[name] = attribute.Expr
			}
		case "module":
			source, ok := block.Body.Attributes["source"]
			if !ok {
				continue
			}
			text, ok := literal(source.Expr)
			if !ok || !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") {
				continue
			}
			call := moduleCall{name: strings.Join(block.Labels, "."), dir: path.Join(s.dir, text), args: map[string]hclsyntax.Expression{}}
			for name, attribute := range block.Body.Attributes {
				call.args[name] = attribute.Expr
			}
			if filepath.IsLocal(filepath.FromSlash(call.dir)) {
				s.calls = append(s.calls, call)
			}
		}
	}
}

// note keeps what explains a change of a resource.
func (s *scope) note(block *hclsyntax.Block) {
	name := strings.Join(block.Labels, ".")
	switch block.Type {
	case "output":
		if value, ok := block.Body.Attributes["value"]; ok {
			s.outputs[name] = value.Expr
		}
	case "variable":
		s.variables[name] = block.Body
		if mark, ok := block.Body.Attributes["sensitive"]; ok {
			value, diags := mark.Expr.Value(nil)
			s.sensitive[name] = diags.HasErrors() || value.RawEquals(cty.True)
		}
	}
}
