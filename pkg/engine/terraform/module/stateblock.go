package module

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stateBlock is a block of the root module that the tool would follow in the place
// of the backend that metapipe passes.
type stateBlock struct {
	kind string // cloud, state_store, or a backend in an override file
	at   hcl.Range
}

// isOverride reports whether the tool merges a file over the rest of the module.
// Of several such files the last by name wins, so ours need not.
// https://developer.hashicorp.com/terraform/language/files/override
func isOverride(name string) bool {
	base, _ := cutAny(name, ".tf.json", ".tofu.json", ".tf", ".tofu")
	return base == "override" || strings.HasSuffix(base, "_override")
}

// RuleStateBlock is the rule of a block that decides where the state is kept.
const RuleStateBlock = "state-block"

// problems names the blocks of a root module (slash path in the manager directory)
// that no backend of ours replaces.
func (m Root) problems(root string) pipeline.Problems {
	var found pipeline.Problems
	for _, block := range m.state {
		p := pipeline.Problem{
			Position: pipeline.Position{File: path.Join(root, block.at.Filename), Line: block.at.Start.Line, Column: block.at.Start.Column},
			Rule:     RuleStateBlock,
			Message:  fmt.Sprintf("a %s block decides where the state is kept", block.kind),
			Remedy:   fmt.Sprintf("remove the %s block: metapipe keeps the state of each target and passes the backend itself", block.kind),
		}
		if block.kind == "backend" {
			p.Message = "a backend block in an override file decides where the state is kept"
			p.Remedy = "remove the backend block: metapipe keeps the state of each target and passes the backend itself; what a backend needs beyond its place belongs in " +
				"a backend block of a file that is no override"
		}
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b pipeline.Problem) int {
		return cmp.Or(strings.Compare(a.Position.File, b.Position.File), a.Position.Line-b.Position.Line)
	})
	return found
}

// Refusal is the error of a root module that keeps its state elsewhere, nil for any
// other.
func (m Root) Refusal(root string) error {
	found := m.problems(root)
	if len(found) == 0 {
		return nil
	}
	first := found[0]
	return pipeline.Usagef("%s:%d: %s", first.Position.File, first.Position.Line, first.Message).Nextf("%s", first.Remedy)
}

// CheckRoot reports what keeps metapipe from using a root module: dir is the manager
// directory, root the module's slash path in it, tool "terraform" or "tofu". What
// cannot be read at all is left to others.
func CheckRoot(dir, root, tool string) pipeline.Problems {
	module, err := ReadRoot(filepath.Join(dir, filepath.FromSlash(root)), tool)
	if err != nil {
		return nil
	}
	return module.problems(root)
}
