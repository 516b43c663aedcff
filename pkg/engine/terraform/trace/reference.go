package trace

import (
	"maps"
	"path"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// reference follows local.x, var.x, each.value and the like. index is the key behind a
// reference to a resource or a module, where it is known.
func (e *explanation) reference(in *instance, traversal hcl.Traversal, index *string) {
	key := e.mark(in.id + in.key + " " + string(traversalText(traversal)))
	if index != nil {
		key += "[" + *index + "]"
	}
	if e.seen[key] || len(traversal) < 2 {
		return
	}
	e.seen[key] = true
	e.visited = 0
	if at, ok := e.traversal(in.scope, traversal, nil, 0); ok && e.muted == 0 {
		e.addUnder(at)
	}
	name, ok := stepOf(traversal[1])
	if !ok {
		return
	}
	switch root := traversal.RootName(); root {
	case "local":
		if expr, ok := in.scope.locals[name]; ok {
			if e.local == nil {
				where := pipeline.Position{File: path.Join(in.scope.dir, expr.Range().Filename), Line: expr.Range().Start.Line}
				e.local = &pipeline.Cause{Local: "local." + name, Where: where}
			}
			e.followLocal(in, traversal, expr)
		}
	case "var":
		e.guarded = e.guarded || in.scope.sensitive[name]
		e.followArgument(in, name)
	case "each", "count":
		for _, name := range repetitions {
			if expr, ok := in.repeat[name]; ok {
				e.passPart(in, expr)
			}
		}
	case "module":
		e.output(in, name, traversal, index)
	default:
		e.sibling(in, root+"."+name, traversal, index)
	}
}

// followArgument goes on at the call of the module by which it was reached.
func (e *explanation) followArgument(in *instance, name string) {
	if expr, ok := in.args[name]; ok && in.caller != nil {
		e.follow(in.caller, expr)
	}
}

// followLocal goes on behind a local, but not into a whole document of which only
// one key is read: that key was looked up already.
func (e *explanation) followLocal(in *instance, traversal hcl.Traversal, expr hclsyntax.Expression) {
	if at, ok := e.traversal(in.scope, traversal, nil, 0); ok && len(at.steps) > 0 {
		e.passMuted(in.module(), expr) // the place is known exactly; only the marks on the way count
		return
	}
	e.follow(in.module(), expr)
}

// output goes on in a module of which an output is read.
func (e *explanation) output(in *instance, module string, traversal hcl.Traversal, index *string) {
	if len(traversal) < 3 && index == nil {
		return
	}
	at := traversal[2:]
	if len(at) > 0 && index == nil {
		if step, ok := at[0].(hcl.TraverseIndex); ok {
			if key, ok := keyText(step.Key); ok {
				index, at = &key, at[1:]
			}
		}
	}
	key := ""
	if index != nil {
		key = *index
	}
	inner, ok := e.enterCall(in, module, key, index != nil)
	if !ok {
		return
	}
	if len(at) > 0 {
		if name, ok := stepOf(at[0]); ok && inner.scope.outputs[name] != nil {
			e.follow(inner, inner.scope.outputs[name])
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(inner.scope.outputs)) { // which one is read stands behind the index
		e.follow(inner, inner.scope.outputs[name])
	}
}

// maxSiblings bounds the instances of another resource that are followed.
const maxSiblings = 20

// sibling goes on at another resource of the module that changes too.
func (e *explanation) sibling(in *instance, name string, traversal hcl.Traversal, index *string) {
	if _, ok := in.scope.resources[name]; !ok {
		return
	}
	if len(traversal) > 2 && index == nil {
		if step, ok := traversal[2].(hcl.TraverseIndex); ok {
			if key, ok := keyText(step.Key); ok {
				index = &key
			}
		}
	}
	followed := 0
	for _, c := range e.changed[pipeline.WithoutKeys(in.id)+name] {
		there, ok := e.find(c.Address)
		if !ok || there.id != in.id || index != nil && there.keyed && there.key != *index {
			continue
		}
		if followed++; followed > maxSiblings {
			return
		}
		e.resource(c)
	}
}

// addUnder adds the edits of a place. Of a collection that is followed for one instance
// the element of that key counts alone; where no edit has the key, the collection is
// named and none of its elements.
func (e *explanation) addUnder(at place) {
	found := e.under(at)
	if e.part == nil {
		e.addAll(found)
		return
	}
	depth := len(at.steps)
	if at.overlay && len(found) > 0 && len(found[0].steps) > depth+1 && found[0].steps[0] == "environments" {
		depth += 2 // the environment's own key
	}
	var exact, whole []edit
	for _, x := range found {
		switch {
		case len(x.steps) <= depth:
			whole = append(whole, x)
		case x.steps[depth] == e.part.key:
			exact = append(exact, x)
		}
	}
	if len(exact)+len(whole) == 0 && len(found) > 0 {
		whole = append(whole, e.variants.collection(found[0].steps[:depth]))
	}
	e.addAll(append(whole, exact...))
}

func (e *explanation) addAll(found []edit) {
	for _, x := range found {
		e.add(x)
	}
}

func (e *explanation) add(x edit) {
	name := "edit " + x.name
	if e.muted == 0 && !e.seen[name] {
		e.seen[name] = true
		e.found = append(e.found, x)
	}
}

func traversalText(traversal hcl.Traversal) []byte {
	var out []byte
	for _, step := range traversal {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			out = append(out, s.Name...)
		case hcl.TraverseAttr:
			out = append(append(out, '.'), s.Name...)
		default:
			key, _ := stepOf(step)
			out = append(append(append(out, '['), key...), ']')
		}
	}
	return out
}
