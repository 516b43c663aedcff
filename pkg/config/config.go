// Package config reads what the service provider writes: metapipe.yml and the
// files of customers/, strictly, and with every problem at once.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// Config is everything that the manager's files say.
type Config struct {
	Manager   pipeline.Manager
	Customers []pipeline.Customer // ordered by name
	Unread    Unread              `json:"-"`
}

// Load reads metapipe.yml and customers/ in managerDir. Problems name files
// relative to managerDir and are ordered by file and place; warnings may stand
// beside a good Config. When one is an error, Config holds what could be read,
// and nothing may be deployed with it. IsMissing identifies the case that there is no
// metapipe.yml: then Config is made with Default.
func Load(managerDir string) (Config, pipeline.Problems) {
	root, err := os.OpenRoot(managerDir)
	if err != nil {
		return Config{Manager: Default(), Unread: Unread{Manager: true, Customers: []string{CustomersDir}}}, pipeline.Problems{{
			Position: pipeline.Position{File: ManagerFile}, Rule: RuleUnreadable,
			Message: fmt.Sprintf("the manager directory cannot be opened: %v", text.FileError(err)), Remedy: "name a checkout of the manager repository with --manager-dir",
		}}
	}
	l := &loader{root: root}
	manager := l.manager()
	customers := l.customers(manager)
	if err := root.Close(); err != nil {
		l.add(pipeline.Position{File: ManagerFile}, RuleUnreadable, fmt.Sprintf("the manager directory cannot be closed: %v", err), "check the disk")
	}
	sortProblems(l.problems)
	return Config{Manager: manager, Customers: customers, Unread: unreadOf(l.problems, customers)}, l.problems
}

func sortProblems(ps pipeline.Problems) {
	slices.SortStableFunc(ps, func(a, b pipeline.Problem) int {
		if a.File != b.File {
			// metapipe.yml first: the customers' files build on it
			if a.File == ManagerFile || b.File == ManagerFile {
				return map[bool]int{true: -1, false: 1}[a.File == ManagerFile]
			}
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// IsMissing reports whether problems say that there is no metapipe.yml and
// nothing worse.
func IsMissing(problems pipeline.Problems) bool {
	missing := false
	for _, p := range problems {
		missing = missing || p.Rule == RuleNoManagerFile
		if p.Rule != RuleNoManagerFile && !p.Warning {
			return false
		}
	}
	return missing
}

// Customer returns the customer of that name, and false when there is none.
func (c Config) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	for _, customer := range c.Customers {
		if customer.Name == name {
			return customer, true
		}
	}
	return pipeline.Customer{}, false
}

// ByRepository returns the customers that live in the repository with that id,
// ordered by name.
func (c Config) ByRepository(id int64) []pipeline.Customer {
	var found []pipeline.Customer
	for _, customer := range c.Customers {
		if customer.RepositoryID == id {
			found = append(found, customer)
		}
	}
	return found
}

// read returns the parsed file, or nil when it could not be understood.
func (l *loader) read(name, example string) *strictyaml.Node {
	raw, err := readBounded(l.root, name, maxFileBytes)
	if err != nil {
		l.add(pipeline.Position{File: name}, RuleUnreadable, fmt.Sprintf("the file cannot be read: %v", text.FileError(err)), "make it a plain file in the manager directory, with read permission")
		return nil
	}
	node, problems := parseFile(name, raw, example)
	l.problems = append(l.problems, problems...)
	return node
}

func parseFile(name string, raw []byte, example string) (*strictyaml.Node, pipeline.Problems) {
	return strictyaml.Parse(name, raw, strictyaml.Options{Bytes: maxFileBytes, Depth: 8, Nodes: 2000, Example: example, PlainWords: true})
}

func (l *loader) manager() pipeline.Manager {
	if _, err := l.root.Lstat(ManagerFile); errors.Is(err, fs.ErrNotExist) {
		l.add(pipeline.Position{File: ManagerFile}, RuleNoManagerFile, "there is no "+ManagerFile+", so this is no manager repository",
			"create it in the manager repository; at least: "+managerExample)
		return Default()
	}
	node := l.read(ManagerFile, managerExample)
	if node == nil {
		m := Default()
		m.Environments = nil // the file names them, and it is unknown which
		return m
	}
	l.stacked = node.Get("stacks") != nil
	d := &decoder{file: ManagerFile, stacked: l.stacked}
	m := d.manager(node)
	l.problems = append(l.problems, d.problems...)
	l.checkSchema(node, m)
	l.checkStateDirectory(node, m)
	l.checkCode(node, m)
	l.checkStackRoots(node, m)
	return m
}
