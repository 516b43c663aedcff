package hub

import (
	"net/url"
	"slices"
	"strings"
)

func (r *Repo) label(name string) *label {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l
		}
	}
	return nil
}

// useLabels resolves names to the spelling of the repository and makes those
// that are missing, as GitHub does when a label is put on an issue.
func (r *Repo) useLabels(names []string) []string {
	var out []string
	for _, n := range names {
		l := r.label(n)
		if l == nil {
			l = &label{id: r.s.id("label"), name: n, color: "ededed"}
			r.labels = append(r.labels, l)
		}
		if !slices.Contains(out, l.name) {
			out = append(out, l.name)
		}
	}
	return out
}

func (r *Repo) viewLabel(l *label) object {
	return object{
		"id": l.id, "node_id": nodeID("LA", l.id), "url": r.api() + "/labels/" + url.PathEscape(l.name), "name": l.name,
		"description": l.description, "color": l.color, "default": false,
	}
}

func (r *Repo) viewLabels(names []string) []object {
	out := []object{}
	for _, n := range names {
		if l := r.label(n); l != nil {
			out = append(out, r.viewLabel(l))
		}
	}
	return out
}
