package kubernetes

import (
	"context"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Bounds of what is shown of what composite resources are composed of.
const (
	maxComposedDepth = 6
	maxComposed      = 300
)

// composedOf are the objects that a composite resource, or a claim, says it is made of.
func composedOf(o map[string]any) []ref {
	var refs []ref
	add := func(value any) {
		r := ref{textAt(value, "apiVersion"), textAt(value, "kind"), textAt(value, "namespace"), textAt(value, "name")}
		if r.Namespace == "" {
			r.Namespace = textAt(o, "metadata", "namespace")
		}
		if namePattern().MatchString(r.Name) && namePattern().MatchString(r.Kind) && r.APIVersion != "" && strings.Trim(r.APIVersion, versionCharacters) == "" {
			refs = append(refs, r)
		}
	}
	for _, path := range [][]string{{"spec", "crossplane", "resourceRefs"}, {"spec", "resourceRefs"}} {
		all, _ := at(o, path...).([]any)
		for _, one := range all {
			add(one)
		}
	}
	if one := at(o, "spec", "resourceRef"); one != nil { // of a claim
		add(one)
	}
	return refs
}

// showComposed writes into the log what the composite resources of the stack are composed of,
// and how far that has got.
func (r *run) showComposed(ctx context.Context, objects []sealedObject) {
	if r.w.tool.name != crossplaneName {
		return
	}
	room := maxComposed
	for _, o := range objects {
		if now, there := r.now[o.key()]; there && o.Action != pipeline.ActionDelete && isCustom(o.ref) {
			r.w.log.Print(o.ref.String() + ": " + said1(now))
			r.showBelow(ctx, now, 1, &room)
		}
	}
}

func (r *run) showBelow(ctx context.Context, o map[string]any, depth int, room *int) {
	refs := composedOf(o)
	if len(refs) == 0 || depth > maxComposedDepth || *room < len(refs) {
		return
	}
	*room -= len(refs)
	var ids []map[string]any
	for _, one := range refs {
		ids = append(ids, one.identity())
	}
	indent := strings.Repeat("  ", depth) + "└ "
	all, err := r.w.getEach(ctx, ids) // may hold kinds that are gone
	if err != nil {
		r.w.log.Print(indent + "what it is composed of could not be looked at")
		return
	}
	there := found{}
	for _, one := range all {
		r.w.hide(one)
	}
	r.w.refilter()
	there.add(all)
	for _, one := range refs {
		now := there[one.key()]
		if now == nil {
			one.Namespace = ""
			now = there[one.key()]
		}
		if now == nil {
			r.w.log.Print(indent + one.String() + ": it is not there")
			continue
		}
		r.w.log.Print(indent + refOf(now).String() + ": " + said1(now))
		r.showBelow(ctx, now, depth+1, room)
	}
}

// said1 is what the conditions of an object say, in one line.
func said1(o map[string]any) string {
	var parts []string
	for _, name := range []string{"Synced", "Ready"} {
		if status, why := condition(o, name); status != "" {
			parts = append(parts, name+" "+status+" ("+why+")")
		}
	}
	if len(parts) == 0 {
		return "no conditions"
	}
	return redact.Clean(strings.Join(parts, ", "))
}
