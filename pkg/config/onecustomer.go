package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// LoadCustomer is Load for a command that works for one customer. It parses that
// customer's file and those that may share its repository; a mistake in another
// file does not stop the command. Config.Customers holds what was parsed, so
// LoadCustomer suits no command that asks who else is registered. Load alone
// compares all files with each other. A name without a file gets Load, so that an
// error names the choices.
func LoadCustomer(managerDir string, name pipeline.CustomerName) (Config, pipeline.Problems) {
	c, problems, _ := loadCustomer(managerDir, name)
	return c, problems
}

// loadCustomer returns also the names of the files in customers/ that it parsed;
// nil stands for all of them.
func loadCustomer(managerDir string, name pipeline.CustomerName) (Config, pipeline.Problems, []string) {
	root, err := os.OpenRoot(managerDir)
	if err != nil || !isCustomerFile(root, name) {
		if err == nil {
			_ = root.Close() // nothing was written
		}
		c, problems := Load(managerDir)
		return c, problems, nil
	}
	defer root.Close()
	l := &loader{root: root}
	manager := l.manager()
	customers, files := l.customerAndSiblings(manager, name)
	sortProblems(l.problems)
	return Config{Manager: manager, Customers: customers, Unread: unreadOf(l.problems, customers)}, l.problems, files
}

func isCustomerFile(root *os.Root, name pipeline.CustomerName) bool {
	if _, err := pipeline.ParseCustomerName(string(name)); err != nil {
		return false
	}
	info, err := root.Lstat(customerFile(string(name) + ".yml"))
	return err == nil && info.Mode().IsRegular()
}

func (l *loader) customerAndSiblings(m pipeline.Manager, name pipeline.CustomerName) ([]pipeline.Customer, []string) {
	entries, err := fs.ReadDir(l.root.FS(), CustomersDir)
	if err != nil {
		l.add(pipeline.Position{File: CustomersDir}, RuleUnreadable, fmt.Sprintf("the directory cannot be read: %v", text.FileError(err)), "make it a plain directory")
		return nil, nil
	}
	own := string(name) + ".yml"
	files := []string{own}
	c, ok := l.register(m, own, name)
	if !ok {
		return nil, files
	}
	all := []registered{c}
	for _, e := range entries {
		other, ok := (&loader{}).fileName(e) // Load says what is wrong with a name
		if !ok || other == name || !l.mayShareRepository(e.Name(), c.RepositoryID) {
			continue
		}
		files = append(files, e.Name())
		if sibling, ok := l.register(m, e.Name(), other); ok {
			all = append(all, sibling)
		}
	}
	l.checkAll(all)
	return sorted(all), files
}

// spelledNumber is what a file may hold that writes a number without its decimal
// digits in a row: an exponent, a fraction, another base, or an escape.
var spelledNumber = text.Pattern(`[0-9][eE.][0-9+]|0[xob]|[0-9]_|\\`)

// mayShareRepository reports whether a file can have a repository id, without
// parsing it. A file that cannot be read may.
func (l *loader) mayShareRepository(name string, id int64) bool {
	raw, err := readBounded(l.root, customerFile(name), maxFileBytes)
	return err != nil || bytes.Contains(raw, strconv.AppendInt(nil, id, 10)) || spelledNumber().Match(raw)
}
