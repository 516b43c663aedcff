package planjson

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// holdsPlace fits texts that hold one of the places.
func holdsPlace(places []string) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(places, func(place string) bool { return strings.Contains(text, place) })
	}
}

// isBelow fits paths of a directory, and the directory itself.
func isBelow(dir string) func(string) bool {
	return func(text string) bool {
		return dir != "" && dir != "/" && (text == dir || strings.HasPrefix(text, strings.TrimSuffix(dir, "/")+"/"))
	}
}

// placedIn is the path of the first text in a value that fits.
func placedIn(value any, fits func(string) bool) (string, bool) {
	switch v := value.(type) {
	case string:
		return "", fits(v)
	case []any:
		for i, e := range v {
			if at, ok := placedIn(e, fits); ok {
				return fmt.Sprintf("[%d]%s", i, at), true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if at, ok := placedIn(v[name], fits); ok {
				return "." + name + at, true
			}
		}
	}
	return "", false
}
