package strictyaml

import (
	"slices"
)

// leaves flattens a tree of violations to those that say something.
func leaves(v violation) []violation {
	switch v.keyword {
	case "anyOf", "oneOf":
		if v.message == "" {
			break // it stands around several
		}
		return bestAlternative(v)
	case "propertyNames", "not", "contains", "minContains":
		if v.message != "" {
			return []violation{v}
		}
	}
	if len(v.causes) == 0 {
		return []violation{v}
	}
	var all []violation
	for _, c := range v.causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// bestAlternative picks what to say about a value that fits none of several
// forms: wrong types are put together, else the one form whose basic shape fits
// speaks for all, else the whole is one violation.
func bestAlternative(v violation) []violation {
	var shaped [][]violation
	var want []string
	got := ""
	for _, c := range v.causes {
		branch := leaves(c)
		types := typeErrorAt(branch, v.path)
		if types == nil {
			shaped = append(shaped, branch)
			continue
		}
		got = types.got
		for _, w := range types.want {
			if !slices.Contains(want, w) {
				want = append(want, w)
			}
		}
	}
	switch {
	case len(shaped) == 1:
		return shaped[0]
	case len(shaped) == 0 && len(want) > 0:
		return []violation{{keyword: "type", schema: v.schema, path: v.path, value: v.value, want: want, got: got}}
	}
	return []violation{v}
}

func typeErrorAt(branch []violation, path []string) *violation {
	for i, leaf := range branch {
		if leaf.keyword == "type" && slices.Equal(leaf.path, path) {
			return &branch[i]
		}
	}
	return nil
}
