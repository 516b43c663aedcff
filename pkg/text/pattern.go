package text

import (
	"regexp"
	"sync"
)

// Pattern returns the regular expression expr, which is compiled at its first use and
// panics there if it is none: every command would pay for those that it does not need.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
