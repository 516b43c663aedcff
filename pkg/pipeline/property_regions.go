package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// CheckRegions refuses regions in variables.yml that the value of the property does not
// allow, each with its line. It looks at every value below a key that holds a region, also
// in other environments. A value that is not the name of one region is refused: two names
// in one text would both pass for the first.
//
// Without a value nothing is restricted.
func (r PropertyRules) CheckRegions(value string, document Document, environments []Environment) (Problems, error) {
	patterns := r.Regions[value]
	if value == "" || slices.Contains(patterns, "*") {
		return nil, nil
	}
	check := regionCheck{rules: r, patterns: patterns, value: value, document: document, seen: map[Position]bool{}}
	for _, env := range environments {
		config, err := document.Effective(env)
		if err != nil {
			return nil, fmt.Errorf("look for regions in the variables of %s: %w", env, err)
		}
		var whole any
		decoder := json.NewDecoder(bytes.NewReader(config.Whole))
		decoder.UseNumber()
		if err := decoder.Decode(&whole); err != nil {
			return nil, fmt.Errorf("look for regions in the variables of %s: %w", env, err)
		}
		check.look(whole, nil, false)
	}
	return check.problems, nil
}

type regionCheck struct {
	rules    PropertyRules
	patterns []string
	value    string
	document Document
	seen     map[Position]bool
	problems Problems
}

// look visits a value; region: it is below a key that holds a region.
func (c *regionCheck) look(v any, at []string, region bool) {
	switch x := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			c.look(x[key], append(slices.Clone(at), key), region || c.rules.isRegionKey(key))
		}
	case []any:
		for i, item := range x {
			c.look(item, append(slices.Clone(at), strconv.Itoa(i)), region)
		}
	case nil: // no region is chosen
	case string:
		if region && !(isRegionName(x) && matchesAny(c.patterns, x)) {
			c.refuse(at, Quote(x))
		}
	default:
		if region {
			c.refuse(at, "a value that is no text")
		}
	}
}

// isRegionName reports whether text is the name of one region, and nothing else.
func isRegionName(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz-"+Digits) == ""
}

func (c *regionCheck) refuse(at []string, what string) {
	position, _ := c.document.Locate(at...)
	if c.seen[position] {
		return
	}
	c.seen[position] = true
	c.problems = append(c.problems, Problem{Position: position, Rule: "region",
		Message: fmt.Sprintf("%s is %s, and the property %s allows %s", strings.Join(at, "."), what, c.rules.Names[MeaningRegion], c.value),
		Remedy:  "use one region that fits " + strings.Join(c.patterns, " or ")})
}
