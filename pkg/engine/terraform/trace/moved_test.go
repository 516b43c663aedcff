package trace

import (
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const movedRoot = `variable "config" { type = any }
locals {
  labels = { for l in var.config.labels : l => true }
}
resource "x_db" "d" {
  for_each = { for d in var.config.dbs : d.name => d }
  engine   = each.value.engine
}
resource "x_db" "keyed" {
  for_each = { for d in var.config.dbs : "${d.engine}-${d.name}" => d }
  size     = each.value.size
}
resource "x_db" "first" { names = [for d in var.config.dbs : d.name] }
resource "x_flag" "any" { count = anytrue([for f in var.config.flags : f.act]) ? 1 : 0 }
resource "x_label" "l" { for_each = local.labels }
resource "x_box" "strict" { value = { "1-3" = "near", "6-9" = "far" }["${var.config.span.low}-${var.config.span.high}"] }
`

// TestCausesOfMovedElements: an element that moved was not removed, one that changed is
// named by the member that changed, and an edit is no cause because the document
// without it fails.
func TestCausesOfMovedElements(t *testing.T) {
	t.Parallel()
	const end = "environments:\n  staging: {}\n"
	list := func(elements string) string { return "dbs: [" + elements + "]\n" + end }
	const (
		orders, users, logs = `{name: orders, engine: pg, size: 1}`, `{name: users, engine: pg, size: 2}`, `{name: logs, engine: pg, size: 3}`
		mysql               = `{name: users, engine: mysql, size: 2}`
	)
	cases := map[string]struct {
		before, after string
		change        pipeline.ResourceChange
		want          string
	}{
		"moved and changed": {list(orders + "," + users + "," + logs), list(mysql + "," + logs + "," + orders),
			changed(`x_db.d["users"]`, pipeline.ActionReplace, "engine"), `dbs[0].engine:1 "pg"→"mysql"`},
		"moved, and another one is gone": {list(orders + "," + users + "," + logs), list(logs + "," + mysql),
			changed(`x_db.d["orders"]`, pipeline.ActionDelete, ""), `dbs[0]:1 {"engine":"pg","name":"orders","size":1}→`},
		"only moved": {list(orders + "," + users), list(users + "," + orders),
			changed("x_db.first", pipeline.ActionUpdate, "names"), "dbs:1 →"},
		"two of one name": {
			list(orders + ",{name: orders, engine: my, size: 2}," + logs), list("{name: orders, engine: my, size: 2},{name: orders, engine: pg, size: 9}," + logs),
			changed(`x_db.keyed["pg-orders"]`, pipeline.ActionReplace, "size"), "dbs[1].size:1 1→9"},
		"without a name": {"flags: [{act: true}, {act: true}]\n" + end, "flags: [{act: false}, {act: false}]\n" + end,
			changed("x_flag.any[0]", pipeline.ActionDelete, ""), "flags[0].act:1 true→false flags[1].act:1 true→false"},
		"moved text": {"labels: [a, b, c]\n" + end, "labels: [c, b]\n" + end,
			changed(`x_label.l["a"]`, pipeline.ActionDelete, ""), `labels[0]:1 "a"→`},
		"only together": {"span: {low: 1, high: 3}\n" + end, "span: {low: 6, high: 9}\n" + end,
			changed("x_box.strict", pipeline.ActionUpdate, "value"), "span:1 →"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := causesOf(t, c.before, c.after, map[string]string{"terraform/main.tf": movedRoot}, []pipeline.ResourceChange{c.change})
			if want := fmt.Sprint([]string{c.want}); fmt.Sprint(got[0]) != want {
				t.Errorf("got  %v\nwant %v", got[0], want)
			}
		})
	}
}
