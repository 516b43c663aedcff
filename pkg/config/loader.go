package config

import (
	"io/fs"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// ManagerFile is the name of the manager's configuration, at the top of its
// repository; CustomersDir is the directory of the customers' files beside it.
const (
	ManagerFile  = "metapipe.yml"
	CustomersDir = "customers"
)

// loader collects the problems of all files below one directory. Nothing
// outside of it is ever opened, also not through symbolic links.
type loader struct {
	root     *os.Root
	problems pipeline.Problems
	dirs     map[string]listing // of root modules, which most customers share
	stacked  bool               // metapipe.yml has the key stacks
}

// listing is what reading a directory gave.
type listing struct {
	entries []fs.DirEntry
	err     error
}

func (l *loader) add(pos pipeline.Position, rule, message, remedy string) {
	l.problems = append(l.problems, pipeline.Problem{Position: pos, Rule: rule, Message: message, Remedy: remedy})
}

// registered is a customer with the tree of its file, for positions.
type registered struct {
	pipeline.Customer
	node *strictyaml.Node
}
