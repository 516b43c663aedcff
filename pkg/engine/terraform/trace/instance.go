package trace

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// instance is one instance of a resource or of the call of a module, or what stands in
// a module without being repeated.
type instance struct {
	scope *scope
	body  *hclsyntax.Body // of the resource
	// repeat are count, for_each and enabled.
	repeat map[string]hclsyntax.Expression
	key    string
	keyed  bool
	// args are the arguments of the call by which the module of the scope was
	// reached, and caller is that instance of the call; none in the root.
	args   map[string]hclsyntax.Expression
	caller *instance
	id     string // the address of the instance of the module, with keys
}

var repetitions = []string{"count", "for_each", "enabled"}

// module is the instance without what belongs to one of its resources: locals are
// the same for all.
func (in *instance) module() *instance {
	return &instance{scope: in.scope, args: in.args, caller: in.caller, id: in.id}
}

// call is an instance of the call of a module; its arguments see its each.
func (in *instance) call(c moduleCall, key string, keyed bool) *instance {
	out := in.module()
	out.key, out.keyed, out.repeat = key, keyed, map[string]hclsyntax.Expression{}
	for _, name := range repetitions {
		if expr, ok := c.args[name]; ok {
			out.repeat[name] = expr
		}
	}
	return out
}

// inside is the module that an instance of a call leads to.
func (in *instance) inside(s *scope, c moduleCall) *instance {
	id := in.id + "module." + c.name
	if in.keyed {
		id += "[" + in.key + "]"
	}
	return &instance{scope: s, args: c.args, caller: in, id: id + "."}
}

// resource is an instance of a resource of the module.
func (in *instance) resource(body *hclsyntax.Body, key string, keyed bool) *instance {
	out := in.module()
	out.body, out.key, out.keyed, out.repeat = body, key, keyed, map[string]hclsyntax.Expression{}
	for _, name := range repetitions {
		if attribute, ok := body.Attributes[name]; ok {
			out.repeat[name] = attribute.Expr
		}
	}
	return out
}

// named is one step of an address: a name, and the key behind it.
type named struct {
	name  string
	key   string
	keyed bool
}

// addressOf takes an address apart: module, n with its key, and so on.
func addressOf(address string) ([]named, bool) {
	parsed, diags := hclsyntax.ParseTraversalAbs([]byte(address), "", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, false
	}
	var out []named
	for _, step := range parsed {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			out = append(out, named{name: s.Name})
		case hcl.TraverseAttr:
			out = append(out, named{name: s.Name})
		case hcl.TraverseIndex:
			key, ok := keyText(s.Key)
			if !ok || out[len(out)-1].keyed {
				return nil, false
			}
			out[len(out)-1].key, out[len(out)-1].keyed = key, true
		default:
			return nil, false
		}
	}
	return out, true
}

// find leads from an address to its instance.
func (e *explanation) find(address string) (*instance, bool) {
	parts, ok := addressOf(address)
	in := &instance{scope: e.scope(e.rootDir())}
	for ok && len(parts) > 2 && parts[0].name == "module" && in.scope != nil {
		if in, ok = e.enterCall(in, parts[1].name, parts[1].key, parts[1].keyed); !ok {
			return nil, false
		}
		parts = parts[2:]
	}
	if !ok || in.scope == nil || len(parts) != 2 {
		return nil, false
	}
	body := in.scope.resources[parts[0].name+"."+parts[1].name]
	if body == nil {
		return nil, false
	}
	return in.resource(body, parts[1].key, parts[1].keyed), true
}

// enterCall goes into a module that the module of in calls.
func (e *explanation) enterCall(in *instance, name, key string, keyed bool) (*instance, bool) {
	for _, call := range in.scope.calls {
		if call.name != name {
			continue
		}
		if inner := e.scope(call.dir); inner != nil {
			return in.call(call, key, keyed).inside(inner, call), true
		}
	}
	return nil, false
}
