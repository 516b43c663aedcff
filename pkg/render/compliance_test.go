package render_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/render"
)

// scanned is a scan with something of everything, hostile texts among it.
func scanned() compliance.Report {
	repo := func(name string) pipeline.Slug { return pipeline.Slug{Owner: "acme", Name: name} }
	at := func(line int) pipeline.Position {
		return pipeline.Position{File: "compliance.yml", Line: line, Column: 3}
	}
	hostile := "<img src=x onerror=alert(1)> | `code` [link](javascript:1) @everyone \u202e \x1b[31m\n::set-output name=a::b"
	return compliance.Report{Version: 1, At: time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC), Organizations: []string{"acme"}, Repositories: 12, Scanned: 10, Score: 8.25,
		Findings: []compliance.Finding{
			{Repository: repo("teams"), RepositoryID: 5, Rule: compliance.RuleUnknownTeam, Property: "team_owner", Severity: compliance.Critical, Message: `property team_owner names the team "old-web", which acme does not have, or does not show`, Remedy: `the team is called "web" now: set it to that`, Where: at(9)},
			{Repository: repo("bare"), RepositoryID: 2, Rule: compliance.RuleMissingRequired, Property: "team_owner", Severity: compliance.High, Message: "property team_owner is not set", Remedy: "set it", Where: at(9)},
			{Repository: repo("values"), RepositoryID: 4, Rule: compliance.RuleInvalidValue, Property: "customer_tier", Severity: compliance.Medium, Message: "property customer_tier is " + pipeline.Quote(hostile), Remedy: hostile, Where: at(10)},
			{Repository: repo("well"), RepositoryID: 1, Rule: compliance.RuleRegisteredNoInfra, Severity: compliance.Low, Message: "the repository is a customer of this manager, and its content type asks for no infrastructure", Remedy: "add infra to its content type, or offboard the customer"},
		},
		Excepted:   []compliance.Finding{{Repository: repo("legacy"), RepositoryID: 9}},
		Exceptions: []compliance.ExceptionNote{{Where: at(19), Owner: "jo " + hostile, Reason: "moves", Message: "it ends after 2026-12-14"}},
		Unknown:    []compliance.Unknown{{Organization: "acme", What: "teams", Reason: "HTTP 403 " + hostile}, {Repository: repo("dark"), RepositoryID: 61, Organization: "acme", What: "content", Reason: "GitHub has not said what lies at the top of the default branch"}},
		Trend: []compliance.Day{{Day: "2030-01-13", Repositories: 9, Unknown: 1, Findings: map[compliance.Severity]int{compliance.High: 2}, Score: 9.5},
			{Day: "2030-01-14", Repositories: 10, Findings: map[compliance.Severity]int{compliance.Critical: 1, compliance.Low: 3}, Score: 8.75}},
		Skipped: []compliance.Skipped{{Repository: repo("old"), Reason: "archived"}, {Repository: repo("older"), Reason: "archived"}, {Repository: repo("copy"), Reason: "fork"}},
	}
}

func TestComplianceReport(t *testing.T) {
	t.Parallel()
	r := scanned()
	markdown := render.Compliance(r)
	golden(t, "testdata/compliance/scan.md", markdown)
	checkMarkdown(t, markdown)
	golden(t, "testdata/compliance/scan.txt", render.ComplianceText(r))
	issue, customer := render.ComplianceIssue(r), render.ComplianceCustomerIssue(r.Findings[:3])
	golden(t, "testdata/compliance/issue.md", issue)
	checkMarkdown(t, issue)
	golden(t, "testdata/compliance/customer.md", customer)
	checkMarkdown(t, customer)
	many := r
	for len(many.Findings) < 3000 {
		many.Findings = append(many.Findings, r.Findings...)
	}
	if text := render.ComplianceIssue(many); len([]rune(text)) > 65_000 || !strings.Contains(text, "has all of them") {
		t.Errorf("an issue of %d characters", len([]rune(text)))
	}
	well := compliance.Report{Version: 1, Organizations: []string{"acme"}, Scanned: 3, Score: 10}
	golden(t, "testdata/compliance/well.md", render.Compliance(well))
	raw, err := render.ComplianceSARIF(r, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/compliance/scan.sarif", string(raw))
	for _, text := range []string{markdown, render.ComplianceText(r), string(raw), issue, customer} {
		if strings.ContainsAny(text, "\u202e\x1b") || strings.Contains(text, "\n::") {
			t.Errorf("a hostile text got out as it is:\n%s", text)
		}
	}
}

// sarifSchema is the schema of OASIS, which go-sarif holds in a constant of its own.
func sarifSchema(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", reflect.TypeFor[sarif.Report]().PkgPath()).Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := strconv.Unquote(file.Scope.Lookup("schema").Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSARIF: the log is one by the schema of OASIS.
func TestSARIF(t *testing.T) {
	t.Parallel()
	schema := sarifSchema(t)
	for _, r := range []compliance.Report{scanned(), {}} {
		raw, err := render.ComplianceSARIF(r, "")
		if err != nil {
			t.Fatal(err)
		}
		result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(schema), gojsonschema.NewBytesLoader(raw))
		if err != nil || !result.Valid() {
			t.Errorf("%v: %v", err, result)
		}
	}
	for _, edit := range [][2]string{{`"level": "error"`, `"level": "critical"`}, {`"ruleId"`, `"rule"`}} { // the schema is in force
		raw, err := render.ComplianceSARIF(scanned(), "")
		if err != nil {
			t.Fatal(err)
		}
		bad := strings.Replace(string(raw), edit[0], edit[1], 1)
		if result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(schema), gojsonschema.NewStringLoader(bad)); err != nil || result.Valid() {
			t.Errorf("%v: a log with %s is accepted", err, edit[1])
		}
	}
	renamed := scanned()
	renamed.Findings[0].Repository.Name = "renamed"
	if a, b := fingerprints(t, scanned()), fingerprints(t, renamed); !cmp.Equal(a, b) {
		t.Error("a renamed repository has other findings")
	}
}

func fingerprints(t *testing.T, r compliance.Report) (all []string) {
	t.Helper()
	raw, err := render.ComplianceSARIF(r, "")
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct {
			Results []struct{ PartialFingerprints map[string]string }
		}
	}
	if err := json.Unmarshal(raw, &log); err != nil {
		t.Fatal(err)
	}
	for _, result := range log.Runs[0].Results {
		all = append(all, fmt.Sprint(result.PartialFingerprints))
	}
	return all
}

// TestLargeComplianceReport: a summary of GitHub takes 1 MiB.
func TestLargeComplianceReport(t *testing.T) {
	t.Parallel()
	r := scanned()
	for i := range 5000 {
		f := r.Findings[2]
		f.Repository.Name = fmt.Sprintf("r%d", i)
		r.Findings = append(r.Findings, f)
	}
	text := render.Compliance(r)
	if len(text) > 1<<20 || !strings.Contains(text, "and 4704 findings more;") {
		t.Errorf("%d bytes", len(text))
	}
}
