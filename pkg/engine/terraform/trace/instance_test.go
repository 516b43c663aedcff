package trace

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const instancesRoot = `
variable "environment" { type = string }
variable "config" { type = any }
variable "area" {}
variable "nets" { type = map(object({ range = string, open = optional(bool, false) })) }
variable "ports" { type = list(any) }
variable "sizes" { default = {} }
data "x_zones" "all" {}
locals {
  derived = { for k, v in var.nets : "${var.area}/${lower(k)}" => v if v.range != "" }
  opaque  = { for k, v in var.nets : "${data.x_zones.all.id}-${k}" => v }
  labels  = merge(lookup(var.config, "labels", {}), { fixed = 1 })
  by_name = { for p in var.ports : p.name => p }
  pairs   = { for pair in setproduct(keys(var.nets), ["in", "out"]) : join(":", pair) => pair[0] }
}
resource "x_net" "derived" {
  for_each = local.derived
  range    = each.value.range
  open     = each.value.open
}
resource "x_net" "opaque" {
  for_each = local.opaque
  range    = each.value.range
}
resource "x_net" "plain" {
  for_each = var.nets
  range    = format("%s/%s", data.x_zones.all.id, each.value.range)
}
resource "x_port" "list" {
  for_each = local.by_name
  number   = each.value.number
}
resource "x_port" "counted" {
  count  = length(var.ports)
  number = var.ports[count.index].number
}
resource "x_rule" "pair" { for_each = local.pairs }
resource "x_rule" "of" {
  for_each = toset(keys(var.nets))
  net      = x_net.derived["${var.area}/${each.key}"].id
}
resource "x_box" "lookup" { labels = local.labels }
resource "x_box" "unknown" { labels = merge({ z = data.x_zones.all.id }, lookup(var.config, "labels", {})) }
resource "x_box" "element" { size = "${data.x_zones.all.id}${element(var.ports, 1).number}" }
resource "x_box" "index" { size = "${data.x_zones.all.id}${var.sizes["large"]}" }
resource "x_box" "try" { size = "${data.x_zones.all.id}${try(var.sizes.absent, var.sizes.large)}" }
resource "x_box" "coalesce" { size = "${data.x_zones.all.id}${coalesce(var.sizes.small, 1)}" }
resource "x_box" "either" { count = try(var.sizes.small, 0) > 4 || var.sizes.large > 40 ? 1 : 0 }
resource "x_box" "hash" { text = sha256(jsonencode({ a = var.sizes.small, t = templatefile("x", { n = var.sizes.small }) })) }
module "net" {
  source   = "../modules/net"
  for_each = toset([for k, v in var.nets : k])
  range    = var.nets[each.key].range
  area     = var.area
}
module "one" {
  source = "../modules/one"
  nets   = var.nets
}
resource "x_box" "output" { net = "${module.net["b"].id}-${data.x_zones.all.id}" }
`

const instancesOne = `variable "nets" {}
module "net" {
  source   = "../net"
  for_each = var.nets
  range    = each.value.range
  area     = "none"
}`

const instancesNet = `variable "range" {}
variable "area" {}
resource "x_gate" "g" {
  range = var.range
  area  = var.area
}
output "id" { value = "${x_gate.g.id}${var.range}" }`

const instancesBefore = `area: north
labels: {team: old, kept: 1}
nets:
  a: {range: 10.0.1.0/24}
  b: {range: 10.0.2.0/24}
  C: {range: 10.0.3.0/24}
  gone: {range: 10.0.4.0/24}
  ab: {range: 10.0.5.0/24}
ports:
  - {name: x, number: 1}
  - {name: y, number: 2}
  - {name: z, number: 3}
sizes: {small: 1, large: 10}
environments:
  staging: {}
`

const instancesAfter = `area: north
labels: {team: new, kept: 1}
nets:
  a: {range: 10.0.9.0/24}
  b: {range: 10.0.2.0/24, open: true}
  C: {range: 10.0.8.0/24}
  ab: {range: 10.0.5.0/24}
ports:
  - {name: y, number: 20}
  - {name: z, number: 3}
sizes: {small: 5, large: 50}
environments:
  staging: {}
`

func causesOf(t *testing.T, before, after string, files map[string]string, changes []pipeline.ResourceChange) [][]string {
	t.Helper()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, after, nil)
	job.Applied = terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, before, nil).Variables
	tree := t.TempDir()
	for name, content := range files {
		terraformtest.WriteFile(t, filepath.Join(tree, filepath.FromSlash(name)), content)
	}
	plan := &pipeline.Plan{Changes: changes}
	NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"}).Explain(plan, &redact.Filter{})
	var all [][]string
	for _, c := range plan.Changes {
		var names []string
		for _, cause := range c.Causes {
			names = append(names, strings.TrimSpace(fmt.Sprintf("%s%s:%d %s→%s", cause.Path, cause.Local, cause.Where.Line, cause.Before.Text, cause.After.Text)))
		}
		all = append(all, names)
	}
	return all
}

func changed(address string, action pipeline.Action, attribute string) pipeline.ResourceChange {
	c := pipeline.ResourceChange{Address: address, Action: action}
	if attribute != "" {
		c.Attributes = []pipeline.AttributeChange{{Path: attribute, ForcesReplacement: true, Before: pipeline.Value{Text: "1"}, After: pipeline.Value{Text: "2"}}}
	}
	return c
}

// TestCausesOfInstances: an instance is explained by what the customer changed of its
// own element, not by what was changed of another one.
func TestCausesOfInstances(t *testing.T) {
	t.Parallel()
	const (
		a    = `nets.a.range:4 "10.0.1.0/24"→"10.0.9.0/24"`
		open = `nets.b.open:5 →true`
		c    = `nets.C.range:6 "10.0.3.0/24"→"10.0.8.0/24"`
		gone = `nets.gone:3 {"range":"10.0.4.0/24"}→`
		x    = `ports[0]:8 {"name":"x","number":1}→`
		y    = `ports[0].number:9 2→20`
		team = `labels.team:2 "old"→"new"`
		// Which element a key of data comes from is not known: the map is named.
		nets  = `nets:3 →`
		small = `sizes.small:11 1→5`
		large = `sizes.large:11 10→50`
	)
	cases := []struct {
		address   string
		action    pipeline.Action
		attribute string
		want      []string
	}{
		{`x_net.derived["north/gone"]`, pipeline.ActionDelete, "", []string{gone}},
		{`x_net.derived["north/a"]`, pipeline.ActionReplace, "range", []string{a}},
		{`x_net.derived["north/b"]`, pipeline.ActionUpdate, "open", []string{open}},
		{`x_net.derived["north/c"]`, pipeline.ActionUpdate, "range", []string{c}},
		{`x_net.opaque["z9-gone"]`, pipeline.ActionDelete, "", []string{nets}},
		{`x_net.plain["gone"]`, pipeline.ActionDelete, "", []string{gone}},
		{`x_net.plain["a"]`, pipeline.ActionUpdate, "range", []string{a}},
		{`x_port.list["x"]`, pipeline.ActionDelete, "", []string{x}},
		{`x_port.list["y"]`, pipeline.ActionReplace, "number", []string{y}},
		{`x_port.counted[2]`, pipeline.ActionDelete, "", []string{x}},
		{`x_port.counted[0]`, pipeline.ActionReplace, "number", []string{x, y}},
		{`x_port.counted[1]`, pipeline.ActionReplace, "number", []string{x}},
		{`x_rule.pair["gone:in"]`, pipeline.ActionDelete, "", []string{gone}},
		{`x_rule.of["gone"]`, pipeline.ActionDelete, "", []string{gone}},
		{`x_rule.of["a"]`, pipeline.ActionReplace, "net", []string{a}},
		{`x_box.lookup`, pipeline.ActionUpdate, "labels", []string{team}},
		{`x_box.unknown`, pipeline.ActionUpdate, "labels", []string{team}},
		{`x_box.element`, pipeline.ActionUpdate, "size", []string{x}},
		{`x_box.index`, pipeline.ActionUpdate, "size", []string{large}},
		{`x_box.try`, pipeline.ActionUpdate, "size", []string{large}},
		{`x_box.coalesce`, pipeline.ActionUpdate, "size", []string{small}},
		{`x_box.either[0]`, pipeline.ActionCreate, "", []string{small, large}},
		{`x_box.hash`, pipeline.ActionUpdate, "text", []string{small}},
		{`module.net["gone"].x_gate.g`, pipeline.ActionDelete, "", []string{gone}},
		{`module.net["a"].x_gate.g`, pipeline.ActionReplace, "range", []string{a}},
		{`module.one.module.net["C"].x_gate.g`, pipeline.ActionReplace, "range", []string{c}},
		{`module.one.module.net["gone"].x_gate.g`, pipeline.ActionDelete, "", []string{gone}},
	}
	var changes []pipeline.ResourceChange
	for _, c := range cases {
		changes = append(changes, changed(c.address, c.action, c.attribute))
	}
	files := map[string]string{"terraform/main.tf": instancesRoot, "modules/net/main.tf": instancesNet, "modules/one/main.tf": instancesOne}
	for i, got := range causesOf(t, instancesBefore, instancesAfter, files, changes) {
		want := slices.Sorted(slices.Values(cases[i].want))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s:\n  got  %s\n  want %s", cases[i].address, strings.Join(got, "\n       "), strings.Join(want, "\n       "))
		}
	}
}

// TestCausesInLongLists: of a long list the changed elements alone are shown.
func TestCausesInLongLists(t *testing.T) {
	t.Parallel()
	list := func(skip, extra string) string {
		var out strings.Builder
		out.WriteString("names:\n")
		for i := range 500 {
			if name := fmt.Sprintf("n%03d", i); name != skip {
				out.WriteString("  - " + name + "\n")
			}
		}
		return out.String() + extra + "environments:\n  staging: {}\n"
	}
	files := map[string]string{"terraform/main.tf": `variable "names" {}
resource "x_box" "all" { names = var.names }
resource "x_box" "each" { for_each = toset(var.names) }`}
	changes := []pipeline.ResourceChange{changed("x_box.all", pipeline.ActionUpdate, "names"),
		changed(`x_box.each["n321"]`, pipeline.ActionDelete, ""), changed(`x_box.each["last"]`, pipeline.ActionCreate, "")}
	got := causesOf(t, list("", ""), list("n321", "  - last\n"), files, changes)
	removed, added := `names[321]:1 "n321"→`, `names[499]:501 →"last"`
	if want := fmt.Sprint([][]string{{removed, added}, {removed}, {added}}); fmt.Sprint(got) != want {
		t.Errorf("%s, want %s", fmt.Sprint(got), want)
	}
}

// TestCausesOfManyInstances: hundreds of changed elements are explained in bounded time.
func TestCausesOfManyInstances(t *testing.T) {
	t.Parallel()
	const n = 400
	file := func(number int) string {
		var out strings.Builder
		out.WriteString("nets:\n")
		for i := range n {
			if number == 1 || i%10 > 0 {
				fmt.Fprintf(&out, "  k%d: {range: %d}\n", i, i*number)
			}
		}
		return out.String() + "environments:\n  staging: {}\n"
	}
	files := map[string]string{"terraform/main.tf": `variable "nets" {}
resource "x_net" "n" {
  for_each = { for k, v in var.nets : "x-${k}" => v }
  range = each.value.range
}`}
	var changes []pipeline.ResourceChange
	for i := range n {
		address := fmt.Sprintf(`x_net.n["x-k%d"]`, i)
		if i%10 == 0 {
			changes = append(changes, changed(address, pipeline.ActionDelete, ""))
		} else {
			changes = append(changes, changed(address, pipeline.ActionUpdate, "range"))
		}
	}
	begin := time.Now()
	got := causesOf(t, file(1), file(2), files, changes)
	if took := time.Since(begin); took > 60*time.Second {
		t.Errorf("took %s", took)
	}
	for i, causes := range got {
		for _, cause := range causes {
			if own := fmt.Sprintf("nets.k%d", i); !strings.HasPrefix(cause, own+".") && !strings.HasPrefix(cause, own+":") && !strings.HasPrefix(cause, "nets:") {
				t.Errorf("%s: %s", changes[i].Address, cause)
			}
		}
	}
}
