package pipeline

import (
	"path"
	"slices"
	"strings"
)

// CodePattern matches paths of the manager's checkout that plans read.
type CodePattern []string

// ParseCodePattern returns a pattern that BadCodePattern accepts in a form that matches.
func ParseCodePattern(s string) CodePattern { return strings.Split(s, "/") }

// BadCodePattern says what is wrong with a pattern such as "modules", "data/*.json" or
// "shared/**/*.tpl": a relative slash path in which * stands for any characters of one
// name and ** for any directories. It is empty for a good one.
func BadCodePattern(s string) string {
	// The rules of paths hold for the rest of it.
	if message := BadPath(strings.ReplaceAll(s, "*", "x")); message != "" {
		return message
	}
	if s == "." {
		return "is the manager directory itself"
	}
	for _, part := range ParseCodePattern(s) {
		if part != "**" && strings.Contains(part, "**") {
			return "has ** beside other characters"
		}
	}
	return ""
}

// Literal is the path before the first name with a *; empty where that is the first one.
func (p CodePattern) Literal() string {
	end := slices.IndexFunc(p, func(part string) bool { return strings.Contains(part, "*") })
	if end < 0 {
		end = len(p)
	}
	return strings.Join(p[:end], "/")
}

// Match reports whether the pattern matches a relative slash path, or a directory above it.
func (p CodePattern) Match(name string) bool {
	reached := p.skip(append([]bool{true}, make([]bool, len(p))...))
	for part := range strings.SplitSeq(name, "/") {
		next := make([]bool, len(p)+1)
		for i, wanted := range p {
			if !reached[i] {
				continue
			}
			if wanted == "**" {
				next[i], next[i+1] = true, true
			} else if ok, err := path.Match(wanted, part); ok && err == nil {
				next[i+1] = true
			}
		}
		if reached = p.skip(next); reached[len(p)] {
			return true
		}
	}
	return false
}

// skip adds the places that follow a ** which stands for no directory.
func (p CodePattern) skip(at []bool) []bool {
	for i := range p {
		if at[i] && p[i] == "**" {
			at[i+1] = true
		}
	}
	return at
}
