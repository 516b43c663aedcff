package module

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// SourceOf is the source of a module that a file of code calls by that name, "" where
// it is not written out.
func SourceOf(file string, content []byte, name string) string {
	body, ok := ParseFile(file, content).(*hclsyntax.Body)
	if !ok {
		return ""
	}
	for _, block := range body.Blocks {
		if block.Type != "module" || len(block.Labels) != 1 || block.Labels[0] != name || block.Body.Attributes["source"] == nil {
			continue
		}
		value, diags := block.Body.Attributes["source"].Expr.Value(nil)
		if !diags.HasErrors() && value.Type() == cty.String && value.IsKnown() && !value.IsNull() {
			return value.AsString()
		}
	}
	return ""
}
