package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// customers reads every file of customers/. A manager without the directory has
// no customers yet.
func (l *loader) customers(m pipeline.Manager) []pipeline.Customer {
	entries, err := fs.ReadDir(l.root.FS(), CustomersDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		l.add(pipeline.Position{File: CustomersDir}, RuleUnreadable, fmt.Sprintf("the directory cannot be read: %v", text.FileError(err)), "make it a plain directory")
		return nil
	}
	var all []registered
	l.checkCase(entries)
	for _, e := range entries {
		name, ok := l.fileName(e)
		if !ok {
			continue
		}
		if c, ok := l.register(m, e.Name(), name); ok {
			all = append(all, c)
		}
	}
	l.checkAll(all)
	return sorted(all)
}

// register parses the file of one customer.
func (l *loader) register(m pipeline.Manager, base string, name pipeline.CustomerName) (registered, bool) {
	file := customerFile(base)
	node := l.read(file, CustomerExample)
	if node == nil {
		return registered{}, false
	}
	d := &decoder{file: file, blind: faulty(l.problems), stacked: l.stacked}
	c := d.customer(node, name, m)
	l.problems = append(l.problems, d.problems...)
	if !l.stacked { // the roots of stacks stand in metapipe.yml
		at, _ := node.Locate("root")
		at.File = file
		l.checkRoot(at, c.Root, c.Manager.Tool)
	}
	return registered{c, node}, true
}

// checkAll compares the customers that were parsed.
func (l *loader) checkAll(all []registered) {
	markSiblings(all)
	l.checkTogether(all)
	if !faulty(l.problems) {
		l.checkNamespaces(all)
		l.checkTargets(all) // what could not be read is the same for all
		l.checkSlugs(all)
	}
}

// checkCase reports names that some file systems cannot keep apart.
func (l *loader) checkCase(entries []fs.DirEntry) {
	same := make(map[string][]string)
	for _, e := range entries {
		lower := strings.ToLower(e.Name())
		same[lower] = append(same[lower], e.Name())
	}
	for _, names := range same {
		for _, name := range names {
			if len(names) > 1 {
				l.add(pipeline.Position{File: customerFile(name)}, RuleDuplicate, "names of customers differ only in case: "+strings.Join(names, ", "), "keep one of them")
			}
		}
	}
}

// markSiblings says of each customer which others live in its repository.
func markSiblings(all []registered) {
	count := make(map[int64]int)
	for _, c := range all {
		count[c.RepositoryID]++
	}
	for i := range all {
		if all[i].SharedRepository = all[i].RepositoryID != 0 && count[all[i].RepositoryID] > 1; !all[i].SharedRepository {
			continue
		}
		for j, other := range all {
			if j != i && other.RepositoryID == all[i].RepositoryID {
				all[i].Siblings = append(all[i].Siblings, pipeline.Sibling{Name: other.Name, Path: other.Path})
			}
		}
	}
}

func sorted(all []registered) []pipeline.Customer {
	customers := make([]pipeline.Customer, len(all))
	for i, c := range all {
		customers[i] = c.Customer
	}
	slices.SortFunc(customers, func(a, b pipeline.Customer) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return customers
}

// allowedBeside are files in customers/ that are no customers.
var allowedBeside = []string{"README.md", ".gitkeep"}

// fileName checks that an entry of customers/ is a file of a customer. Anything
// else is a problem, lest a customer be onboarded that is not served.
func (l *loader) fileName(e fs.DirEntry) (pipeline.CustomerName, bool) {
	at := pipeline.Position{File: customerFile(e.Name())}
	base, yml := strings.CutSuffix(e.Name(), ".yml")
	switch {
	case slices.Contains(allowedBeside, e.Name()) && e.Type().IsRegular():
		return "", false
	case !e.Type().IsRegular():
		l.add(at, RuleStrayFile, "only plain files may stand in "+CustomersDir, "move it elsewhere")
		return "", false
	case !yml:
		remedy := "move it elsewhere"
		if stem, ok := strings.CutSuffix(strings.ToLower(e.Name()), ".yaml"); ok {
			remedy = "rename it to " + stem + ".yml"
		}
		l.add(at, RuleStrayFile, "customers' files end in .yml", remedy)
		return "", false
	case strings.HasPrefix(base, "_"):
		l.add(at, RuleReservedName, "names that begin with _ belong to metapipe", "rename it to "+string(customerName(base))+".yml")
		return "", false
	}
	name, err := pipeline.ParseCustomerName(base)
	if err != nil {
		l.add(at, RuleName, fmt.Sprintf("%q cannot be the name of a customer: use 1–63 lower-case letters, digits and inner hyphens", strictyaml.Short(base)),
			"rename it to "+string(customerName(base))+".yml")
		return "", false
	}
	return name, true
}

// relations finds, for the index of a customer, those of later ones that name the same
// repository or its id.
func relations(all []registered) func(i int) []int {
	byID, byName := map[int64][]int{}, map[string][]int{}
	name := func(c registered) string { return strings.ToLower(c.Repository.String()) }
	for i, c := range all {
		if c.RepositoryID != 0 {
			byID[c.RepositoryID] = append(byID[c.RepositoryID], i)
		}
		if c.Repository.Name != "" {
			byName[name(c)] = append(byName[name(c)], i)
		}
	}
	return func(i int) []int {
		both := slices.Concat(byID[all[i].RepositoryID], byName[name(all[i])])
		slices.Sort(both)
		return slices.DeleteFunc(slices.Compact(both), func(j int) bool { return j <= i })
	}
}

// checkTogether finds contradictions between files and reports the first of two files at
// both.
func (l *loader) checkTogether(all []registered) {
	related := relations(all)
	for i, a := range all {
		for _, j := range related(i) {
			b := all[j]
			same := a.RepositoryID != 0 && a.RepositoryID == b.RepositoryID
			named := a.Repository.Name != "" && a.Repository.Equal(b.Repository)
			switch {
			case same && b.Repository.Name != "" && a.Repository.Name != "" && !named:
				l.both(a, b, "repository", RuleRepositoryMismatch, "has the same repository_id and another repository", "a repository has one name: correct one of the two files")
			case named && !same && a.RepositoryID != 0 && b.RepositoryID != 0:
				l.both(a, b, "repository_id", RuleRepositoryMismatch, "has the same repository and another repository_id", "look it up: gh api repos/"+a.Repository.String()+" --jq .id")
			case same && strings.EqualFold(a.Path, b.Path):
				l.both(a, b, "path", RuleDuplicate, "serves the same path of the same repository", "give each customer of a repository its own path")
			}
		}
	}
}

// both reports at each of two files, since a command may look at the problems of one.
func (l *loader) both(a, b registered, key, rule, message, remedy string) {
	for _, pair := range [][2]registered{{a, b}, {b, a}} {
		at, _ := pair[0].node.Locate(key)
		at.File = pair[0].File
		other, _ := pair[1].node.Locate(key)
		l.add(at, rule, fmt.Sprintf("%s:%d %s", pair[1].File, other.Line, message), remedy)
	}
}
