package module

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/text"
)

// Reference is a place of a root module that refers to a variable.
type Reference struct {
	What      string // what is computed from it: "region of module.hosts", "local.region"
	Attribute string // the attribute of the variable; empty: the place takes it whole
	File      string // in the directory of the module
	Line      int
}

// References are the places of a root module that refer to a variable, in the order of
// files and lines. Files that do not parse have none: the tool explains them.
func References(dir, tool, variable string) ([]Reference, error) {
	files, err := Files(dir, tool)
	if err != nil {
		return nil, err
	}
	f := finder{variable: variable}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, text.FileError(err))
		}
		f.file = name
		switch body := ParseFile(name, content).(type) {
		case nil:
		case *hclsyntax.Body:
			f.body(body, nil)
		default: // JSON: each member of the top level is an expression
			attributes, _ := body.JustAttributes()
			for _, attribute := range attributes {
				f.expression(attribute.Name, attribute.Expr)
			}
		}
	}
	slices.SortStableFunc(f.found, func(a, b Reference) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.What, b.What), strings.Compare(a.Attribute, b.Attribute))
	})
	return slices.Compact(f.found), nil
}

// finder gathers the references to a variable.
type finder struct {
	variable, file string
	found          []Reference
}

// body looks at the arguments of a block; within are the names of the blocks around it.
func (f *finder) body(body *hclsyntax.Body, within []string) {
	for _, attribute := range body.Attributes {
		f.expression(argument(within, attribute.Name), attribute.Expr)
	}
	for _, block := range body.Blocks {
		if block.Type == "variable" && slices.Equal(block.Labels, []string{f.variable}) && len(within) == 0 && !validates(block) {
			continue
		}
		inner := append(slices.Clone(within), blockName(block))
		f.body(block.Body, inner)
	}
}

// validates reports whether a variable has rules, which read its value.
func validates(block *hclsyntax.Block) bool {
	return slices.ContainsFunc(block.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "validation" })
}

// blockName is a block in the words of Terraform: an address where it has one.
func blockName(block *hclsyntax.Block) string {
	labels := strings.Join(block.Labels, ".")
	switch block.Type {
	case "resource":
		return labels
	case "locals":
		return "local"
	case "variable":
		return "var." + labels
	}
	if labels == "" {
		return block.Type
	}
	return block.Type + "." + labels
}

// argument names an argument inside of blocks: "region of module.hosts".
func argument(within []string, name string) string {
	switch {
	case len(within) == 0:
		return name
	case len(within) == 1 && within[0] == "local":
		return "local." + name
	case len(within) == 1 && strings.HasPrefix(within[0], "output."):
		return within[0]
	}
	return strings.Join(append(slices.Clone(within[1:]), name), ".") + " of " + within[0]
}

func (f *finder) expression(what string, expr hcl.Expression) {
	for _, traversal := range expr.Variables() {
		if traversal.RootName() != "var" || len(traversal) < 2 {
			continue
		}
		if step, ok := traversal[1].(hcl.TraverseAttr); !ok || step.Name != f.variable {
			continue
		}
		f.found = append(f.found, Reference{What: what, Attribute: attributeOf(traversal), File: f.file, Line: traversal.SourceRange().Start.Line})
	}
}

// attributeOf is the attribute in var.name.attribute or var.name["attribute"].
func attributeOf(traversal hcl.Traversal) string {
	if len(traversal) < 3 {
		return ""
	}
	switch step := traversal[2].(type) {
	case hcl.TraverseAttr:
		return step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString()
		}
	}
	return ""
}
