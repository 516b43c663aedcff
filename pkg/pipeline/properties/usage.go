package properties

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// usage is which values the repositories of an organization have.
type usage struct {
	github       SchemaGitHub
	organization string
	all          map[int64]pipeline.RepositoryAnswer // nil: not asked yet
}

// blocks says why a definition cannot give way to the new one: a repository has a value that would
// not be allowed any more, or that would go with the definition. It asks only where values are lost.
func (u *usage) blocks(ctx context.Context, row change.Row) (string, error) {
	old, err := fieldsOf(row.Old)
	if err != nil {
		return "", err
	}
	next, err := fieldsOf(row.New)
	if err != nil {
		return "", err
	}
	if next == nil {
		var standard pipeline.Property // repositories without a value have it, and lose nothing
		if err := json.Unmarshal(*field(old, "default_value"), &standard); err != nil {
			return "", err
		}
		same := string(Canonical(standard))
		return u.inUse(ctx, row.What, func(p pipeline.Property) bool {
			return p.Form != pipeline.PropertyUnset && string(Canonical(p)) != same
		}, "and values go with their definition")
	}
	var before, after []string
	for raw, into := range map[*json.RawMessage]*[]string{field(old, "allowed_values"): &before, field(next, "allowed_values"): &after} {
		if err := json.Unmarshal(*raw, into); err != nil {
			return "its allowed values are no list of texts", nil //nolint:nilerr // that is the answer
		}
	}
	var standard pipeline.Property
	if err := json.Unmarshal(*field(next, "default_value"), &standard); err != nil {
		return "", err
	}
	if typeOf(next).IsSelection() {
		for _, text := range texts(standard) {
			if !slices.Contains(after, text) {
				return fmt.Sprintf("its default %s would not be allowed any more: give it another default", pipeline.Quote(text)), nil
			}
		}
	}
	dropped := slices.DeleteFunc(before, func(s string) bool { return slices.Contains(after, s) })
	if len(dropped) == 0 {
		return "", nil
	}
	return u.inUse(ctx, row.What, func(p pipeline.Property) bool {
		return slices.ContainsFunc(texts(p), func(s string) bool { return slices.Contains(dropped, s) })
	}, "and no value that the new definition allows")
}

func field(fields map[string]json.RawMessage, name string) *json.RawMessage {
	raw, is := fields[name]
	if !is {
		raw = json.RawMessage("null")
	}
	return &raw
}

func typeOf(fields map[string]json.RawMessage) (t pipeline.PropertyType) {
	_ = json.Unmarshal(*field(fields, "value_type"), &t) // anything else is no type
	return t
}

// texts are those of a value.
func texts(p pipeline.Property) []string {
	if p.Form == pipeline.PropertyText {
		return []string{p.Text}
	}
	return p.List
}

// inUse names repositories with a value that is lost. What cannot be read is taken for one.
func (u *usage) inUse(ctx context.Context, name string, lost func(pipeline.Property) bool, why string) (string, error) {
	if u.all == nil {
		all, err := u.github.OrganizationProperties(ctx, u.organization)
		if err != nil {
			return "", err
		}
		u.all = all
	}
	var ids []int64
	example := ""
	for _, id := range slices.Sorted(maps.Keys(u.all)) {
		properties := u.all[id].Properties
		value := properties.Get(name)
		if !properties.Known() || value.Form == pipeline.PropertyOther {
			return fmt.Sprintf("the values of the repository with id %d cannot be read, so it is not known whether one is lost", id), nil
		}
		if lost(value) {
			if ids = append(ids, id); len(ids) == 1 {
				example = string(Canonical(value))
			}
		}
	}
	if len(ids) == 0 {
		return "", nil
	}
	what := fmt.Sprintf("the repository with id %d has the value %s, which would be lost: it is in use", ids[0], pipeline.Clip(example, 80))
	if len(ids) > 1 {
		what += fmt.Sprintf(" there and in %d others", len(ids)-1)
	}
	return what + ", " + why, nil
}
