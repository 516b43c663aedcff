package pipelinetest

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ParseVariables accepts lines "<environment> <value>"; anything else is a problem.
func ParseVariables(_ pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
	d := document{file: file}
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		name, _, ok := strings.Cut(line, " ")
		position := pipeline.Position{File: file, Line: i + 1, Column: 1}
		if !ok {
			return nil, pipeline.Problems{{Position: position, Rule: "syntax", Message: "want two words"}}
		}
		d.environments = append(d.environments, pipeline.DeclaredEnvironment{Name: name, Position: position})
	}
	d.raw = string(raw)
	return d, nil
}

type document struct {
	file, raw    string
	environments []pipeline.DeclaredEnvironment
}

func (d document) Environments() []pipeline.DeclaredEnvironment { return d.environments }

func (d document) Locate(...string) (pipeline.Position, bool) {
	return pipeline.Position{File: d.file, Line: 1}, true
}

func (d document) Effective(pipeline.Environment) (pipeline.EffectiveConfig, error) {
	return pipeline.EffectiveConfig{Source: []byte(d.raw)}, nil
}
