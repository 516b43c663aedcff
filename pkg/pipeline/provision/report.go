package provision

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Report is what `spacelift sync` prints.
type Report struct {
	change.Report
	Findings []Finding `json:"findings"`
	// Requests are the bodies that would be sent, by the ids of stacks, without the texts of values. None where the plan was applied.
	Requests map[string][]json.RawMessage `json:"requests,omitempty"`
}

// Verb is what a row does to its stack.
func Verb(row change.Row) string {
	old, next, err := stacksOf(row)
	switch {
	case change.IsNone(row.Old):
		return "create"
	case err == nil && old.Enabled && !next.Enabled && len(Differences(row)) == 1:
		return "disable"
	case err == nil && !old.Enabled && next.Enabled && len(Differences(row)) == 1:
		return "enable"
	case string(row.Old) == string(row.New):
		return "unchanged"
	}
	return "update"
}

func stacksOf(row change.Row) (old, next Stack, err error) {
	if err = json.Unmarshal(row.Old, &old); err == nil {
		err = json.Unmarshal(row.New, &next)
	}
	return old, next, err
}

// Differences are what a row changes, one line each: `branch: "main" → "live"`. Texts of values are not in it.
func Differences(row change.Row) []string {
	var old, next map[string]json.RawMessage
	if change.IsNone(row.Old) || json.Unmarshal(row.Old, &old) != nil || json.Unmarshal(row.New, &next) != nil {
		return nil
	}
	var lines []string
	keys := maps.Clone(old)
	maps.Copy(keys, next)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch {
		case string(old[key]) == string(next[key]):
		case key == "values":
			lines = append(lines, valueDifferences(old[key], next[key])...)
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", key, orNone(old[key]), orNone(next[key])))
		}
	}
	return lines
}

func orNone(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "none"
	}
	return string(raw)
}

func valueDifferences(old, next json.RawMessage) (lines []string) {
	var before, after []Value
	if json.Unmarshal(old, &before) != nil || json.Unmarshal(next, &after) != nil {
		return []string{"values: changed"}
	}
	has := func(list []Value, id string) bool {
		return slices.ContainsFunc(list, func(v Value) bool { return v.ID == id })
	}
	for _, v := range before {
		if !has(after, v.ID) {
			lines = append(lines, v.ID+": removed")
		}
	}
	for _, v := range after {
		switch {
		case !has(before, v.ID):
			lines = append(lines, v.ID+": added")
		case !slices.Contains(before, v):
			lines = append(lines, v.ID+": changed")
		}
	}
	return lines
}
