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
	maxComposedName  = 100
)

// resourceAnnotation is where Crossplane notes the name that a composition has for an object.
const resourceAnnotation = "crossplane.io/composition-resource-name"

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

// lookAtComposed notes what the composite resources of the stack are composed of, and how far that has got, and
// writes it into the log.
func (r *run) lookAtComposed(ctx context.Context, objects []sealedObject) {
	if r.w.tool.name != crossplaneName {
		return
	}
	r.composed = pipeline.Composition{}
	for _, o := range objects {
		if now, there := r.now[o.key()]; there && o.Action != pipeline.ActionDelete && isCustom(o.ref) {
			r.note(now, 0)
			r.lookBelow(ctx, now, 1)
		}
	}
	r.w.filter.Composition(&r.composed)
	for _, o := range r.composed.Objects {
		line := o.Address + ": " + o.Detail
		if o.Depth > 0 {
			line = strings.Repeat("  ", o.Depth) + "└ " + line
		}
		r.w.log.Print(line)
	}
	if r.composed.Cut {
		r.w.log.Print("there is more than is shown here")
	}
}

func (r *run) lookBelow(ctx context.Context, o map[string]any, depth int) {
	refs := composedOf(o)
	if len(refs) == 0 {
		return
	}
	if depth > maxComposedDepth || len(r.composed.Objects)+len(refs) > maxComposed {
		r.composed.Cut = true
		return
	}
	var ids []map[string]any
	for _, one := range refs {
		ids = append(ids, one.identity())
	}
	all, err := r.w.getEach(ctx, ids) // may hold kinds that are gone
	if err != nil {
		for _, one := range refs {
			r.composed.Objects = append(r.composed.Objects, pipeline.ComposedObject{Address: one.String(), Depth: depth, State: pipeline.ComposedUnknown, Detail: "it could not be looked at"})
		}
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
			at := one
			at.Namespace = ""
			now = there[at.key()]
		}
		if now == nil {
			r.composed.Objects = append(r.composed.Objects, pipeline.ComposedObject{Address: one.String(), Depth: depth, State: pipeline.ComposedMissing, Detail: "it is not there"})
			continue
		}
		r.note(now, depth)
		r.lookBelow(ctx, now, depth+1)
	}
}

// note adds an object of the cluster to the tree.
func (r *run) note(now map[string]any, depth int) {
	one := pipeline.ComposedObject{Address: refOf(now).String(), Depth: depth, State: pipeline.ComposedReady, Detail: said1(now),
		Resource: clip(redact.Clean(textAt(now, "metadata", "annotations", resourceAnnotation)), maxComposedName)}
	if !isReady(now, depth == 0 || len(composedOf(now)) > 0).ready {
		one.State = pipeline.ComposedNotReady
	}
	r.composed.Objects = append(r.composed.Objects, one)
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
