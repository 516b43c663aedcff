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
// in one text would both pass for the first. A map below such a key may have regions as its
// keys, so these are looked at, too: see key.
//
// Without a value nothing is restricted.
func (r PropertyRules) CheckRegions(value string, document Document, environments []Environment) (Problems, error) {
	patterns := r.Regions[value]
	if value == "" || slices.Contains(patterns, "*") {
		return nil, nil
	}
	check := regionCheck{rules: r, patterns: patterns, value: value, document: document, seen: map[string]bool{}}
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
	seen     map[string]bool // places of keys and of values
	problems Problems
}

// look visits a value; region: it is below a key that holds a region.
func (c *regionCheck) look(v any, at []string, region bool) {
	switch x := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			below := append(slices.Clone(at), key)
			if region {
				c.key(key, x[key], below)
			}
			c.look(x[key], below, region || c.rules.isRegionKey(key))
		}
	case []any:
		for i, item := range x {
			c.look(item, append(slices.Clone(at), strconv.Itoa(i)), region)
		}
	case nil: // no region is chosen
	case string:
		if region && !(isRegionName(x) && matchesAny(c.patterns, x)) {
			c.refuse("value", at, Quote(x))
		}
	default:
		if region {
			c.refuse("value", at, "a value that is no text")
		}
	}
}

// key refuses a key of a map below a key that holds a region, unless it fits or is a role,
// such as primary. A role consists of letters and underscores, has not the form of a region,
// and what stands below it names a region.
func (c *regionCheck) key(key string, v any, at []string) {
	word := strings.ReplaceAll(strings.ToLower(key), "_", "-")
	switch isWord := strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == "" && !strings.Contains(key, "-"); {
	case isRegionName(key) && matchesAny(c.patterns, key):
	case isWord && matchesAny(c.patterns, word): // it fits, however it is written
	case !isWord || c.rules.looksLikeRegion(word):
		c.refuse("key", at, "the key "+Quote(key))
	case !c.namesRegion(v):
		c.refuse("key", at, "the key "+Quote(key)+", below which nothing names a region")
	}
}

// namesRegion reports whether a value below a role names a region, fitting or not.
func (c *regionCheck) namesRegion(v any) bool {
	switch x := v.(type) {
	case string:
		return true
	case []any:
		return slices.ContainsFunc(x, c.namesRegion)
	case map[string]any:
		for key, value := range x {
			if isRegionName(key) && matchesAny(c.patterns, key) || c.namesRegion(value) {
				return true
			}
		}
	}
	return false
}

// looksLikeRegion reports whether a word of lower-case letters and hyphens may be the name of
// a region: a value of the property has a pattern for it, or it is a place beside a
// direction, as in westeurope and germanywestcentral, or one of the two US governments of Azure.
func (r PropertyRules) looksLikeRegion(word string) bool {
	for _, patterns := range r.Regions {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return pattern != "*" && matchesAny([]string{pattern}, word) }) {
			return true
		}
	}
	if strings.HasPrefix(word, "usgov") || strings.HasPrefix(word, "usdod") {
		return true
	}
	place := strings.NewReplacer("north", "", "south", "", "east", "", "west", "", "central", "").Replace(word)
	return place != word && strings.Trim(place, "-") != ""
}

// isRegionName reports whether text is the name of one region, and nothing else.
func isRegionName(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz-"+Digits) == ""
}

func (c *regionCheck) refuse(kind string, at []string, what string) {
	position, _ := c.document.Locate(at...)
	once := kind + " " + position.String() // a key and its value may have one place
	if c.seen[once] {
		return
	}
	c.seen[once] = true
	c.problems = append(c.problems, Problem{Position: position, Rule: "region",
		Message: fmt.Sprintf("%s is %s, and the property %s allows %s", strings.Join(at, "."), what, c.rules.Names[MeaningRegion], c.value),
		Remedy:  "use one region that fits " + strings.Join(c.patterns, " or ")})
}
