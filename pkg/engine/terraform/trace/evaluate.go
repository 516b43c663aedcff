package trace

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
)

// evaluate computes an expression as the tool does, as far as it depends on the
// customer's file alone: what comes from resources, data sources and the like is
// unknown, and so is the result where it matters.
func (e *explanation) evaluate(v *variant, in *instance, expr hclsyntax.Expression) cty.Value {
	if e.variants.evaluated++; e.variants.spent() {
		return cty.DynamicVal
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: functionsFor(expr, v)}
	objects := map[string]map[string]cty.Value{}
	for _, traversal := range expr.Variables() {
		root := traversal.RootName()
		name := ""
		if len(traversal) > 1 {
			name, _ = stepOf(traversal[1])
		}
		value, ok := e.referred(v, in, root, name)
		if !ok {
			ctx.Variables[root] = cty.DynamicVal
			continue
		}
		if objects[root] == nil {
			objects[root] = map[string]cty.Value{}
		}
		objects[root][name] = value
	}
	for root, members := range objects {
		if _, unknown := ctx.Variables[root]; !unknown {
			ctx.Variables[root] = cty.ObjectVal(members)
		}
	}
	value, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return value
}

// referred is the value of local.name, var.name and so on; false for what the
// customer's file does not decide.
func (e *explanation) referred(v *variant, in *instance, root, name string) (cty.Value, bool) {
	switch {
	case name == "":
		return cty.DynamicVal, false
	case root == "local":
		expr, ok := in.scope.locals[name]
		if !ok {
			return cty.DynamicVal, false
		}
		return v.once(in.id+" local."+name, func() cty.Value { return e.evaluate(v, in.module(), expr) }), true
	case root == "var":
		return v.once(in.id+" var."+name, func() cty.Value { return e.given(v, in, name) }), true
	case root == "each" && name == "key" && in.keyed, root == "each" && name == "value" && in.keyed:
		return e.eachOf(v, in, name), true
	case root == "count" && name == "index" && in.keyed:
		if i, err := strconv.ParseInt(in.key, 10, 64); err == nil {
			return cty.NumberIntVal(i), true
		}
	case root == "path":
		return cty.StringVal(in.scope.dir), true
	}
	return cty.DynamicVal, false
}

// once computes a value at its first use. One that refers to itself is unknown.
func (v *variant) once(name string, compute func() cty.Value) cty.Value {
	if value, ok := v.known[name]; ok {
		return value
	}
	if v.busy[name] || len(v.busy) > maxHops {
		return cty.DynamicVal
	}
	v.busy[name] = true
	value := compute()
	delete(v.busy, name)
	v.known[name] = value
	return value
}

// given is the value of a variable: what the file or the call of the module gives, or
// else the default, made to fit the variable's type.
func (e *explanation) given(v *variant, in *instance, name string) cty.Value {
	declared := in.scope.variables[name]
	if declared == nil {
		return cty.DynamicVal
	}
	value, ok := e.argumentOf(v, in, name)
	if !ok {
		fallback, has := declared.Attributes["default"]
		if !has {
			return cty.DynamicVal
		}
		var diags hcl.Diagnostics
		if value, diags = fallback.Expr.Value(nil); diags.HasErrors() {
			return cty.DynamicVal
		}
	}
	constraint, has := declared.Attributes["type"]
	if !has {
		return value
	}
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(constraint.Expr)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	if defaults != nil && value.IsKnown() && !value.IsNull() {
		value = defaults.Apply(value)
	}
	value, err := convert.Convert(value, kind)
	if err != nil {
		return cty.DynamicVal
	}
	return value
}

func (e *explanation) argumentOf(v *variant, in *instance, name string) (cty.Value, bool) {
	if in.caller != nil {
		expr, ok := in.args[name]
		if !ok {
			return cty.DynamicVal, false
		}
		return e.evaluate(v, in.caller, expr), true
	}
	switch {
	case name == "config":
		return v.config, true
	case name == "environment":
		return cty.StringVal(string(e.Job.Environment)), true
	case module.OwnVariable(name):
		return cty.DynamicVal, true
	}
	value, ok := v.values[name]
	return value, ok
}

// collection is what for_each of an instance comes to.
func (e *explanation) collection(v *variant, in *instance) cty.Value {
	expr, ok := in.repeat["for_each"]
	if !ok {
		return cty.DynamicVal
	}
	name := fmt.Sprintf("%s for_each %s", in.id, expr.Range())
	return v.once(name, func() cty.Value { return e.evaluate(v, in.module(), expr) })
}

func (e *explanation) eachOf(v *variant, in *instance, name string) cty.Value {
	if _, ok := in.repeat["for_each"]; !ok {
		return cty.DynamicVal
	}
	if name == "key" {
		return cty.StringVal(in.key)
	}
	all := e.collection(v, in)
	value, found := memberOf(all, in.key)
	switch {
	case !found:
		return cty.DynamicVal
	case all.Type().IsSetType():
		return cty.StringVal(in.key)
	}
	return value
}

// memberOf is the member of a map, an object or a set of text.
func memberOf(all cty.Value, key string) (cty.Value, bool) {
	kind := all.Type()
	switch {
	case !all.IsKnown() || all.IsNull():
		return cty.DynamicVal, false
	case kind.IsObjectType() && kind.HasAttribute(key):
		return all.GetAttr(key), true
	case kind.IsMapType() && all.HasIndex(cty.StringVal(key)).True():
		return all.Index(cty.StringVal(key)), true
	case kind.IsSetType() && kind.ElementType() == cty.String && all.IsWhollyKnown() && all.HasElement(cty.StringVal(key)).True():
		return cty.StringVal(key), true
	}
	return cty.DynamicVal, false
}

// valueOutcome is the value of an expression, as text.
func (e *explanation) valueOutcome(in *instance, expr hclsyntax.Expression) outcome {
	return func(v *variant) (string, bool) { return textOf(e.evaluate(v, in, expr)) }
}

func textOf(value cty.Value) (string, bool) {
	if !value.IsWhollyKnown() || value.ContainsMarked() {
		return "", false
	}
	text, err := ctyjson.Marshal(value, value.Type())
	return string(text), err == nil
}

// presence is whether the instance is there, as far as count, for_each or enabled
// decide it.
func (e *explanation) presence(in *instance, name string) outcome {
	return func(v *variant) (string, bool) {
		if name == "for_each" {
			all := e.collection(v, in)
			if !all.IsKnown() || all.IsNull() || all.Type().IsSetType() && !all.IsWhollyKnown() {
				return "", false
			}
			_, there := memberOf(all, in.key)
			return strconv.FormatBool(there), true
		}
		value := e.evaluate(v, in.module(), in.repeat[name])
		if !value.IsKnown() || value.IsNull() {
			return "", false
		}
		if number, err := convert.Convert(value, cty.Number); err == nil && name == "count" {
			n, _ := number.AsBigFloat().Float64()
			i, _ := strconv.ParseFloat(in.key, 64)
			return strconv.FormatBool(i < n), true
		}
		is, err := convert.Convert(value, cty.Bool)
		if err != nil {
			return "", false
		}
		return strconv.FormatBool(is.True()), true
	}
}
