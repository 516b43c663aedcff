package strictyaml

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules that this package reports.
const (
	RuleTooLarge     = "too-large"
	RuleNotUTF8      = "not-utf-8"
	RuleControl      = "control-character"
	RuleEmpty        = "empty-file"
	RuleOnlyComments = "only-comments"
	RuleNotMap       = "not-a-map"
	RuleSyntax       = "yaml-syntax"
	RuleTab          = "tab-indentation"
	RuleInvisible    = "invisible-character"
	RuleUnicodeForm  = "unicode-form"
	RuleConflict     = "merge-conflict"
	RuleDirective    = "directive"
	RuleQuote        = "quote"
	RuleComment      = "comment-in-value"
	RuleEscape       = "escape-in-quotes"
	RuleNoBlank      = "missing-blank"
	RuleNoValue      = "missing-value"
	RuleDocuments    = "multiple-documents"
	RuleDepth        = "too-deep"
	RuleNodes        = "too-many-values"
	RuleAlias        = "alias"
	RuleAnchor       = "anchor"
	RuleTag          = "tag"
	RuleMergeKey     = "merge-key"
	RuleDuplicateKey = "duplicate-key"
	RuleKeyNotText   = "key-not-text"
	RuleKeyForm      = "key-form"
	RuleUnquoted     = "unquoted-placeholder"
	RuleAmbiguous    = "ambiguous-value"
	RuleNumber       = "number"
	RuleMoreProblems = "more-problems"
	// RuleSchemaRequired is a key that the schema demands. The schema's other
	// rules also begin with "schema-".
	RuleSchemaRequired = "schema-required"
)

const (
	maxProblems       = 100
	maxKeyLength      = 256
	indicatorsPerNode = 6
)

// Limit orders problems by line and column and cuts the list to 100, the last
// of which then says how many there are.
func Limit(ps pipeline.Problems) pipeline.Problems {
	slices.SortStableFunc(ps, func(a, b pipeline.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if len(ps) <= maxProblems {
		return ps
	}
	more := pipeline.Problem{
		Position: pipeline.Position{File: ps[0].File},
		Rule:     RuleMoreProblems,
		Message:  fmt.Sprintf("%d more problems are not shown", len(ps)-maxProblems+1),
		Remedy:   "fix the first ones and check again",
	}
	kept := ps[: maxProblems-1 : maxProblems-1]
	more.Warning = kept.Err() != nil && ps[maxProblems-1:].Err() == nil
	return append(kept, more)
}
