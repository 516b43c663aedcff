package pipeline

import (
	"path"
	"slices"
	"strings"
)

// AllowedNames lists the environments that a customer may use, in promotion order.
func AllowedNames(c Customer) string {
	return JoinNames(c.Allowed())
}

// JoinNames writes names in one line, with commas between them.
func JoinNames[T ~string](names []T) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return strings.Join(all, ", ")
}

// Admits reports whether a branch may apply to the environment. It compares whole
// branch names: "maintenance" does not contain "main".
func (r EnvironmentRule) Admits(branch, defaultBranch string) bool {
	if len(r.Branches) == 0 {
		return branch != "" && branch == defaultBranch
	}
	return slices.ContainsFunc(r.Branches, func(pattern string) bool {
		ok, err := path.Match(pattern, branch)
		return err == nil && ok
	})
}
