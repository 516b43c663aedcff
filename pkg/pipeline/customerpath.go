package pipeline

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// MaxPath is the longest path of a directory in bytes.
const MaxPath = 200

// BadPath says what is wrong with a relative, clean, slash-separated path that stays
// below its base, in words that follow "which"; it is empty for a good one. "." is good.
func BadPath(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxPath:
		return fmt.Sprintf("is longer than %d bytes", MaxPath)
	case path.IsAbs(s), filepath.IsAbs(s), len(s) > 1 && s[1] == ':':
		return "is absolute"
	case s == ".." || strings.HasPrefix(s, "../") || strings.Contains(s, "/../") || strings.HasSuffix(s, "/.."):
		return "leads out with .."
	case path.Clean(s) != s:
		return "is not clean"
	case strings.ContainsFunc(s, notInPath):
		return "holds a character that paths may not hold here"
	}
	for _, part := range strings.Split(s, "/") {
		if strings.EqualFold(part, ".git") || strings.HasPrefix(part, "-") || strings.TrimSpace(part) != part {
			return "has a part that is not allowed: " + part
		}
	}
	return ""
}

// notInPath leaves letters and digits of all scripts, and what names of
// directories usually have.
func notInPath(r rune) bool {
	return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("._-/ +@", r)
}

// PathError is a spelling that is no path of a customer.
type PathError struct {
	Path   string // as it was written
	Reason string // follows "which"
	// Clean is the spelling that was probably meant; empty where none is.
	Clean string
}

func (e *PathError) Error() string { return e.Describe(e.Path) }

// Describe is the error about the path as short shows it, in words that follow its name.
func (e *PathError) Describe(short string) string {
	if e.Reason == atTop {
		return atTop
	}
	return fmt.Sprintf("is %.200q, which %s", short, e.Reason)
}

// Remedy says how to write the path.
func (e *PathError) Remedy() string {
	if e.Clean != "" {
		return fmt.Sprintf("write it as %q", e.Clean)
	}
	if e.Reason == atTop {
		return "use a directory of its own, such as infra"
	}
	return "write a relative path with / and without ., .. or a trailing /"
}

const atTop = "is the top of the repository, so every commit would ask for a deployment"

// ParseCustomerPath reads the directory of variables.yml in a customer's repository:
// the one of customers/*.yml and of --path alike. A path has one spelling, since it is
// compared with the paths that a change names, and by the manager with the registered
// one. The error is a *PathError.
func ParseCustomerPath(s string) (string, error) {
	reason := BadPath(s)
	if s == "." {
		reason = atTop
	}
	if reason == "" {
		return s, nil
	}
	e := &PathError{Path: s, Reason: reason}
	clean := path.Clean(strings.TrimLeft(strings.ReplaceAll(strings.TrimSpace(s), `\`, "/"), "/"))
	if s != "" && clean != "." && BadPath(clean) == "" && !strings.Contains(s, "..") { // those mean another place
		e.Clean = clean
	}
	return "", e
}

// Touches reports whether a changed path of a repository concerns dir: it lies below
// dir, is dir itself (a link or a submodule), or is a file or a submodule that stands,
// or stood, where a parent of dir is.
func Touches(changed, dir string) bool {
	return changed == dir || strings.HasPrefix(changed, dir+"/") || strings.HasPrefix(dir, changed+"/")
}
