package strictyaml

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// leaves flattens a tree of validation errors to those that say something.
func leaves(v *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch v.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return bestAlternative(v)
	case *kind.PropertyNames, *kind.Not, *kind.Contains, *kind.MinContains:
		return []*jsonschema.ValidationError{v}
	}
	if len(v.Causes) == 0 {
		return []*jsonschema.ValidationError{v}
	}
	var all []*jsonschema.ValidationError
	for _, c := range v.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// bestAlternative picks what to say about a value that fits none of several
// forms: wrong types are put together, else the one form whose basic shape fits
// speaks for all, else the whole is one error.
func bestAlternative(v *jsonschema.ValidationError) []*jsonschema.ValidationError {
	var shaped [][]*jsonschema.ValidationError
	var want []string
	got := ""
	for _, c := range v.Causes {
		branch := leaves(c)
		types := typeErrorAt(branch, v.InstanceLocation)
		if types == nil {
			shaped = append(shaped, branch)
			continue
		}
		got = types.Got
		for _, w := range types.Want {
			if !slices.Contains(want, w) {
				want = append(want, w)
			}
		}
	}
	switch {
	case len(shaped) == 1:
		return shaped[0]
	case len(shaped) == 0 && len(want) > 0:
		return []*jsonschema.ValidationError{{
			SchemaURL: v.SchemaURL, InstanceLocation: v.InstanceLocation, ErrorKind: &kind.Type{Got: got, Want: want},
		}}
	}
	return []*jsonschema.ValidationError{v}
}

func typeErrorAt(branch []*jsonschema.ValidationError, path []string) *kind.Type {
	for _, leaf := range branch {
		if k, ok := leaf.ErrorKind.(*kind.Type); ok && slices.Equal(leaf.InstanceLocation, path) {
			return k
		}
	}
	return nil
}
