package terraform

import (
	"os"
	"path/filepath"
	"strconv"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// moduleRemedy is what the provider does about a module that init could not install.
func (w *workspace) moduleRemedy(d tfjson.Diagnostic) string {
	said := d.Summary + "\n" + d.Detail
	call, ok := output.ModuleOf(d.Detail)
	if !ok {
		return output.ModuleRemedy(said, call, "", "")
	}
	where := w.modulePlace(call)
	source := ""
	if content, err := os.ReadFile(filepath.Join(w.tree, filepath.FromSlash(where.File))); err == nil {
		source = module.SourceOf(where.File, content, call.Name)
	}
	return redact.Clean(output.ModuleRemedy(said, call, where.String(), source))
}

// modulePlace is the place of the call of a module, in the manager.
func (w *workspace) modulePlace(call output.ModuleCall) pipeline.Position {
	line, _ := strconv.Atoi(call.Line) // digits, by the pattern
	return pipeline.Position{File: w.managerPath(call.File), Line: line}
}
