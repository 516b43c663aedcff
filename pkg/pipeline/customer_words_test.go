package pipeline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// operatorWords are flags, keys and files of the manager, and variables of its jobs.
var operatorWords = regexp.MustCompile(`--[a-z]|metapipe\.yml|\blimits\.|\btool\.|\bstate\.[a-z_]+\b|TF_|METAPIPE_|\.terraform|maintainers|\bmetapipe [a-z]|customers/`)

// forOperators are functions whose errors only the terminal of an operator shows.
var forOperators = []string{"PushState"}

// TestCustomersReadNoOperatorWords: the step of a plan or an apply that was refused or failed is
// copied into the customer's repository. What only the provider can do stands in Operator.
func TestCustomersReadNoOperatorWords(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, folder := range []string{"../terraform", "../terraform/*", ".", "deploy", "publish", "record", "sweep"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range parsed.Decls {
				if function, ok := declaration.(*ast.FuncDecl); ok && forOperator(function) {
					continue
				}
				ast.Inspect(declaration, func(n ast.Node) bool {
					for _, step := range stepsIn(n) {
						looked++
						wantNoOperatorWords(t, set, step)
					}
					return true
				})
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d steps were looked at", looked)
	}
}

func forOperator(f *ast.FuncDecl) bool {
	for _, name := range forOperators {
		if f.Name.Name == name {
			return true
		}
	}
	return false
}

// stepsIn are the expressions that a node puts into the Next of such an error.
func stepsIn(n ast.Node) (steps []ast.Expr) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		name := ""
		switch typed := n.Type.(type) {
		case *ast.Ident:
			name = typed.Name
		case *ast.SelectorExpr:
			name = typed.Sel.Name
		}
		if name != "FailedError" && name != "RefusedError" {
			return nil
		}
		for _, element := range n.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Next" {
					steps = append(steps, pair.Value)
				}
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if selector, ok := left.(*ast.SelectorExpr); ok && selector.Sel.Name == "Next" && len(n.Rhs) == len(n.Lhs) {
				if of, ok := selector.X.(*ast.Ident); ok && (of.Name == "failed" || of.Name == "refused" || of.Name == "ended") {
					steps = append(steps, n.Rhs[i])
				}
			}
		}
	}
	return steps
}

func wantNoOperatorWords(t *testing.T, set *token.FileSet, step ast.Expr) {
	t.Helper()
	ast.Inspect(step, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if found := operatorWords.FindString(text); found != "" {
			t.Errorf("%s: a customer reads %q in %q: put it into Operator", set.Position(literal.Pos()), found, text)
		}
		return true
	})
}
