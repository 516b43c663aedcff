package render_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// allReasons reads every declared reason from the source, so that a new one is tried.
func allReasons(t *testing.T) []pipeline.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../pipeline/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []pipeline.Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pipeline.Reason(text))
		}
		return true
	})
	if len(all) < 25 {
		t.Fatalf("only %d reasons were found: %v", len(all), all)
	}
	return all
}

// notForCustomers are words of steps that only an operator can take.
var notForCustomers = []string{"`metapipe", "metapipe.yml", "METAPIPE_KEY", "Settings", "administrators", "the store", "state accept", "unlock", "rekey", "run this again"}

// TestReasons renders each reason as a refusal and as a rejection, in both modes. The
// customer reads what happened, that nothing was changed, and a step that is theirs.
func TestReasons(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, mode := range []pipeline.Mode{pipeline.ModeApply, pipeline.ModeDestroy} {
		for _, reason := range allReasons(t) {
			refused := reportOf(pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeRefused, Reason: reason, Applies: true})
			refused.Request.Targets = []pipeline.RequestTarget{{Target: refused.Request.Customer.In("staging")}}
			rejected := reportOf()
			rejected.Request.Reason = reason
			for kind, rep := range map[string]*pipeline.Report{"refused": &refused, "rejected": &rejected} {
				rep.Request.Mode = mode
				checkReason(t, string(mode)+" "+kind+" "+string(reason), mode, *rep)
			}
			for _, rep := range []pipeline.Report{refused, rejected} {
				var r render.Renderer
				all.WriteString("<!-- " + string(mode) + ": " + string(reason) + " -->\n" + r.Comment(rep) + r.Status(rep, pipeline.Target{}) + "\n\n")
			}
		}
	}
	golden(t, "testdata/reasons.md", all.String())
}

func checkReason(t *testing.T, name string, mode pipeline.Mode, rep pipeline.Report) {
	t.Helper()
	var r render.Renderer
	for _, text := range []string{r.Comment(rep), r.Summary(rep)} {
		_, next, found := strings.Cut(text, "**Next:** ")
		if !found || !strings.Contains(text, "othing was changed") {
			t.Errorf("%s: it does not say what to do, or what was changed:\n%s", name, text)
		}
		for _, word := range notForCustomers {
			if strings.Contains(text, word) {
				t.Errorf("%s: %q is the operator's:\n%s", name, word, text)
			}
		}
		if mode == pipeline.ModeDestroy && (strings.Contains(next, "push") || strings.Contains(next, "erge")) {
			t.Errorf("%s: a push does not ask for a destroy: %s", name, next)
		}
	}
	checkLine(t, r.Status(rep, pipeline.Target{}), render.StatusLimit-11)
}
