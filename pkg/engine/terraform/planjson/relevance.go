package planjson

import (
	"bytes"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// drifted is what a resource was before someone changed it outside of the tool.
type drifted struct{ before any }

// identity keeps the objects of one address apart.
func (c changeJSON) identity() string { return c.Address + "\x00" + c.Deposed }

// reverts reports whether a change does nothing but put back what drift altered:
// every attribute that it changes gets the value from before, as far as values
// are known. The tool writes resource_drift before resource_changes; were it not
// so, nothing would be called a revert.
func (p *planReader) reverts(c changeJSON) bool {
	was, ok := p.drifted[c.identity()]
	if !ok || c.PreviousAddress != "" && c.PreviousAddress != c.Address || c.Change.Importing != nil {
		return false
	}
	earlier, ok := was.before.(map[string]any)
	after, known := c.Change.After.(map[string]any)
	if !ok || !known {
		return false // it deletes, or there is nothing to compare with
	}
	now, _ := c.Change.Before.(map[string]any) // nil where the resource is gone
	unknown, _ := c.Change.AfterUnknown.(map[string]any)
	for name, value := range after {
		if now != nil && sameJSON(now[name], value) || jsonvalue.ContainsTrue(unknown[name]) {
			continue
		}
		if !sameJSON(earlier[name], value) {
			return false
		}
	}
	return true
}

func sameJSON(a, b any) bool {
	return bytes.Equal(jsonvalue.Canonical(nil, a), jsonvalue.Canonical(nil, b))
}

// relevant reads one element of relevant_attributes: what the plan's changes were
// computed from.
// https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
func (p *planReader) relevant() error {
	var r struct {
		Resource  string `json:"resource"`
		Attribute []any  `json:"attribute"`
	}
	if err := p.Decode(&r); err != nil {
		return err
	}
	first := ""
	if len(r.Attribute) > 0 {
		first, _ = r.Attribute[0].(string)
	}
	p.used[r.Resource] = append(p.used[r.Resource], first)
	return nil
}

// markRelevant marks the drift that the plan has changes because of: those of the
// same resource, or of others that are computed from what drifted. A refresh also
// finds unmanaged values; they are noise.
func (p *planReader) markRelevant() {
	changing := map[string]bool{}
	for _, c := range p.plan.Changes {
		changing[c.Address+"\x00"+c.Deposed] = c.Action != pipeline.ActionRead && c.Action != pipeline.ActionNone
	}
	for i := range p.plan.Drift {
		d := &p.plan.Drift[i]
		d.Relevant = changing[d.Address+"\x00"+d.Deposed] || p.isUsed(d.Address, d) || p.isUsed(withoutKey(d.Address), d)
	}
}

func (p *planReader) isUsed(address string, d *pipeline.ResourceChange) bool {
	for _, attribute := range p.used[address] {
		if attribute == "" || d.Action == pipeline.ActionDelete {
			return true
		}
		for _, a := range d.Attributes {
			if rest, ok := strings.CutPrefix(a.Path, attribute); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				return true
			}
		}
	}
	return false
}

// withoutKey cuts the key of an instance off: `a.b["x"]` is one of `a.b`.
func withoutKey(address string) string {
	if !strings.HasSuffix(address, "]") {
		return address
	}
	if i := strings.LastIndex(address, "["); i > 0 {
		return address[:i]
	}
	return address
}
