package render_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	"github.com/metapipe/metapipe/pkg/render"
)

// stackRow is a row about a stack.
func stackRow(id, old, next string, status change.Status, message string) change.Result {
	return change.Result{Row: change.Row{Place: change.Place{Name: id}, What: provision.What, Old: json.RawMessage(old), New: json.RawMessage(next)}, Status: status, Message: message}
}

// TestStacks: each stack is shown with what becomes of it, its differences and its requests; nothing of it can leave its line.
func TestStacks(t *testing.T) {
	t.Parallel()
	r := provision.Report{Findings: []provision.Finding{{Customer: "shop", Message: "no variables.yml\n::error::x", Refused: true}, {Stack: "mp-c", Message: "it stays disabled: \x1b[2J"}},
		Requests: map[string][]json.RawMessage{"mp-a": {json.RawMessage(`{"operationName":"StackCreate"}`), json.RawMessage(`{"operationName":"StackDisable"}`)}}}
	r.Rows = []change.Result{
		stackRow("mp-a", "null", `{"enabled":true}`, change.Planned, ""),
		stackRow("mp-b", `{"branch":"main","enabled":true,"values":[{"id":"TF_VAR_a","kind":"ENVIRONMENT_VARIABLE","secret":false,"sum":"1"},{"id":"TF_VAR_b","kind":"ENVIRONMENT_VARIABLE","secret":false,"sum":"1"}]}`,
			`{"branch":"live","drift":{"reconcile":false,"schedule":["0 4 * * *"]},"enabled":true,"values":[{"id":"TF_VAR_a","kind":"ENVIRONMENT_VARIABLE","secret":false,"sum":"2"},{"id":"TF_VAR_c","kind":"ENVIRONMENT_VARIABLE","secret":true,"sum":"1"}]}`, change.Failed, "it was not written: \"x\"\ny"),
		stackRow("mp-c", `{"enabled":true}`, `{"enabled":false}`, change.Written, ""),
		stackRow("mp-d", `{"enabled":false}`, `{"enabled":true}`, change.Written, ""),
		stackRow("mp-e", `{"enabled":true}`, `{"enabled":true}`, change.Same, ""),
	}
	r.Rows[2].Reason = "not wanted any more"
	want := `mp-a: create, planned
    POST {"operationName":"StackCreate"}
    POST {"operationName":"StackDisable"}
mp-b: update, failed
    branch: "main" → "live"
    drift: none → {"reconcile":false,"schedule":["0 4 * * *"]}
    TF_VAR_b: removed
    TF_VAR_a: changed
    TF_VAR_c: added
  ✗ it was not written: "x" y
mp-c: disable, written (not wanted any more)
    enabled: true → false
mp-d: enable, written
    enabled: false → true
1 unchanged
✗ shop: no variables.yml ::error::x
· mp-c: it stays disabled: \u001b[2J
`
	got := render.Stacks(r)
	if strings.ContainsRune(got, 0x1b) || strings.Contains(got, "\n::") {
		t.Errorf("%q", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := render.Stacks(provision.Report{}); got != "nothing is to be written\n" {
		t.Errorf("%q", got)
	}
}
