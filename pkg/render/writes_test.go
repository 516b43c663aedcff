package render_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/render"
)

func writtenRow(name, old, now string, status change.Status, message string) change.Result {
	return change.Result{Row: change.Row{Place: change.Place{ID: 7, Name: "acme/shop"}, What: name, Old: json.RawMessage(old), New: json.RawMessage(now)}, Status: status, Message: message}
}

// TestChanges: each value is a line, and each that is not written says why.
func TestChanges(t *testing.T) {
	t.Parallel()
	shared := writtenRow("team", `"red"`, `"\u001b[2Jblue"`, change.Planned, "")
	shared.Customers, shared.Reason = []pipeline.CustomerName{"shop", "shop-eu"}, "ticket\n5"
	got := render.Changes(change.Report{Rows: []change.Result{shared, writtenRow("tools", "null", `["a","b"]`, change.Written, ""), writtenRow("tier", `"x"`, "null", change.Refused, "\"y\" is there\n::error::x"),
		writtenRow("class", `"`+strings.Repeat("x", 300)+`"`, `"y"`, change.Left, "the run was stopped")}, Notes: []string{"a note"}})
	for _, want := range []string{
		"acme/shop  tools  -  ", `["a","b"]`, "✗ tier of acme/shop: ", "· acme/shop is the repository of 2 customers: shop, shop-eu\n", "✗ class of acme/shop: the run was stopped\n", "· a note\n", "…",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, never := range []string{"\x1b", "\n::error", "ticket\n", strings.Repeat("x", 200)} {
		if strings.Contains(got, never) {
			t.Errorf("%q in:\n%s", never, got)
		}
	}
	if got := render.Changes(change.Report{}); got != "nothing is to be written\n" {
		t.Errorf("%q", got)
	}
}
