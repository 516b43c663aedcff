package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
)

// standardFunctions are those of the tools that are computed here.
var standardFunctions = sync.OnceValue(func() map[string]function.Function {
	all := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "can": tryfunc.CanFunc, "ceil": stdlib.CeilFunc, "chomp": stdlib.ChompFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"floor": stdlib.FloorFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "jsondecode": stdlib.JSONDecodeFunc,
		"jsonencode": stdlib.JSONEncodeFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc,
		"log": stdlib.LogFunc, "lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "merge": stdlib.MergeFunc,
		"min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "range": stdlib.RangeFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "replace": stdlib.ReplaceFunc,
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"signum": stdlib.SignumFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "split": stdlib.SplitFunc,
		"strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"try": tryfunc.TryFunc, "upper": stdlib.UpperFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tonumber": stdlib.MakeToFunc(cty.Number), "tostring": stdlib.MakeToFunc(cty.String),
		"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"toset":  stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"lookup": lookupFunc, "one": oneFunc, "yamlencode": stdlib.JSONEncodeFunc, "yamldecode": stdlib.JSONDecodeFunc,
		"startswith": textTest(strings.HasPrefix), "endswith": textTest(strings.HasSuffix), "strcontains": textTest(strings.Contains),
		"alltrue": ofTruths(false), "anytrue": ofTruths(true),
	}
	for _, name := range []string{"sensitive", "nonsensitive", "ephemeralasnull"} {
		all[name] = sameFunc
	}
	for _, name := range opaqueText {
		all[name] = opaque(name)
	}
	return all
})

// opaqueText are functions whose result is text that nothing here looks into: equal
// arguments give equal text.
var opaqueText = []string{
	"abspath", "base64decode", "base64encode", "base64gzip", "base64sha256", "base64sha512", "basename", "cidrhost", "cidrnetmask",
	"cidrsubnet", "dirname", "filebase64", "filebase64sha256", "filebase64sha512", "filemd5", "filesha1", "filesha256", "filesha512",
	"formatdate", "md5", "pathexpand", "plantimestamp", "sha1", "sha256", "sha512", "templatefile", "templatestring",
	"textdecodebase64", "textencodebase64", "timeadd", "timestamp", "trimlines", "urldecode", "urlencode", "uuidv5",
}

// functionsFor are the functions that an expression calls. One that is not known here
// gives an unknown value.
func functionsFor(expr hclsyntax.Expression, v *variant) map[string]function.Function {
	names := map[string]bool{}
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok {
			names[call.Name] = true
		}
		return nil
	})
	out := make(map[string]function.Function, len(names))
	for _, name := range slices.Collect(maps.Keys(names)) {
		known, ok := standardFunctions()[strings.TrimPrefix(name, "core::")]
		switch {
		case name == "file":
			known = fileFunc(v)
		case !ok:
			known = unknownFunc
		}
		out[name] = known
	}
	return out
}

// anyArguments take whatever comes.
var anyArguments = &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true}

var unknownFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
	Type:     function.StaticReturnType(cty.DynamicPseudoType),
	Impl:     func([]cty.Value, cty.Type) (cty.Value, error) { return cty.DynamicVal, nil },
})

// sameFunc gives its argument back.
var sameFunc = function.New(&function.Spec{
	Params: []function.Parameter{*anyArguments},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0], nil },
})

func opaque(name string) function.Function {
	return function.New(&function.Spec{
		VarParam: anyArguments,
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			all := make([]string, len(args))
			for i, arg := range args {
				text, ok := textOf(arg)
				if !ok {
					return cty.UnknownVal(cty.String), nil
				}
				all[i] = text
			}
			text, err := json.Marshal(all)
			return cty.StringVal(name + string(text)), err
		},
	})
}

// fileFunc reads the customer's file; another file is one and the same text.
func fileFunc(v *variant) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if name := args[0].AsString(); path.Base(name) != module.SourceVariables {
				return cty.StringVal("file " + name), nil
			}
			source, ok := v.source()
			if !ok {
				return cty.UnknownVal(cty.String), nil
			}
			return cty.StringVal(source), nil
		},
	})
}

var lookupFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, {Name: "key", Type: cty.String}},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true},
	Type:     function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if value, ok := memberOf(args[0], args[1].AsString()); ok {
			return value, nil
		}
		if len(args) < 3 {
			return cty.DynamicVal, errors.New("no such key")
		}
		return args[2], nil
	},
})

var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].CanIterateElements() || args[0].LengthInt() > 1 {
			return cty.DynamicVal, errors.New("not one element")
		}
		for it := args[0].ElementIterator(); it.Next(); {
			_, value := it.Element()
			return value, nil
		}
		return cty.NullVal(cty.DynamicPseudoType), nil
	},
})

func textTest(test func(text, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// ofTruths is whether a list holds the truth that decides; one of the other kind
// alone gives the other.
func ofTruths(deciding bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, value := it.Element()
				if value.IsNull() {
					return cty.UnknownVal(cty.Bool), fmt.Errorf("null among truths")
				}
				if value.True() == deciding {
					return cty.BoolVal(deciding), nil
				}
			}
			return cty.BoolVal(!deciding), nil
		},
	})
}
