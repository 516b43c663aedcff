package module

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// RuleSyntax is code of a root module that the tool cannot parse.
const RuleSyntax = "terraform-syntax"

// Syntax parses the files of a root module, without the tool and without its
// providers, and reports what no version of the tool can read: at most three mistakes
// a file. dir is the manager's checkout, root a slash-separated path below it; files
// are named below dir. A directory that cannot be read has no files here.
func Syntax(dir, root, tool string) pipeline.Problems {
	at := filepath.Join(dir, filepath.FromSlash(root))
	names, err := Files(at, tool)
	if err != nil {
		return nil
	}
	var problems pipeline.Problems
	for _, name := range names {
		file := path.Join(root, name)
		content, err := os.ReadFile(filepath.Join(at, name))
		if err != nil {
			problems = append(problems, pipeline.Problem{
				Position: pipeline.Position{File: file},
				Rule:     RuleSyntax,
				Message:  fmt.Sprintf("the file cannot be read: %v", text.FileError(err)),
				Remedy:   "make it a plain file with read permission",
			})
			continue
		}
		problems = append(problems, mistakes(file, content)...)
	}
	return problems
}

func mistakes(file string, content []byte) pipeline.Problems {
	parser := hclparse.NewParser()
	var diags hcl.Diagnostics
	if strings.HasSuffix(file, ".json") {
		_, diags = parser.ParseJSON(content, file)
	} else {
		_, diags = parser.ParseHCL(content, file)
	}
	var problems pipeline.Problems
	for _, d := range diags {
		if d.Severity != hcl.DiagError || len(problems) == 3 {
			continue
		}
		p := pipeline.Problem{Position: pipeline.Position{File: file}, Rule: RuleSyntax, Message: strings.TrimSuffix(d.Summary, "."), Remedy: d.Detail}
		if d.Subject != nil {
			p.Line, p.Column = d.Subject.Start.Line, d.Subject.Start.Column
		}
		problems = append(problems, p)
	}
	return problems
}
