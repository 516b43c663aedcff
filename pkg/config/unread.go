package config

import (
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Unread is the part of a manager's files that could not be read. What it holds is
// unknown, so no message may say that the configuration lacks it. The zero value says
// that everything was read.
type Unread struct {
	Manager   bool     // metapipe.yml is there and has errors
	Customers []string // entries of customers/ that gave no customer, ascending; or customers alone
}

// unreadOf derives from the problems of Load what it could not read.
func unreadOf(problems pipeline.Problems, customers []pipeline.Customer) Unread {
	u := Unread{Manager: faulty(problems)}
	for _, p := range problems {
		inside := p.File == CustomersDir || path.Dir(p.File) == CustomersDir
		registered := slices.ContainsFunc(customers, func(c pipeline.Customer) bool { return c.File == p.File })
		if inside && !registered && !p.Warning && !slices.Contains(u.Customers, p.File) {
			u.Customers = append(u.Customers, p.File)
		}
	}
	slices.Sort(u.Customers)
	return u
}

// faulty reports whether metapipe.yml is there and has errors. Nothing can be compared
// with what it says then.
func faulty(problems pipeline.Problems) bool {
	return slices.ContainsFunc(problems, func(p pipeline.Problem) bool {
		return p.File == ManagerFile && !p.Warning && p.Rule != RuleNoManagerFile
	})
}

// advice says which customers could not be read; empty when all of them were.
func (u Unread) advice() string {
	if len(u.Customers) == 0 {
		return ""
	}
	files, more := u.Customers, ""
	if len(files) > maxNames {
		files, more = files[:maxNames], ", …"
	}
	return strings.Join(files, ", ") + more + " could not be read; `metapipe validate` shows why"
}
