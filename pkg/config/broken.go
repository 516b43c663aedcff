package config

import (
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// BrokenCustomer is a customer whose file has problems, so that nothing it says counts.
type BrokenCustomer struct {
	Name     pipeline.CustomerName
	Problems pipeline.Problems // at least one that is no warning
}

// Apart takes the customers with a broken file out of a configuration, in ascending order.
// left are the other problems: those of the manager, and of files that name no customer.
func Apart(c Config, all pipeline.Problems) (whole Config, broken []BrokenCustomer, left pipeline.Problems) {
	of := map[pipeline.CustomerName]pipeline.Problems{}
	for _, p := range all {
		if name, is := customerOf(p.File); is {
			of[name] = append(of[name], p)
		} else {
			left = append(left, p)
		}
	}
	whole = Config{Manager: c.Manager, Unread: c.Unread}
	for _, customer := range c.Customers {
		if of[customer.Name].Err() == nil {
			whole.Customers = append(whole.Customers, customer)
		}
	}
	for name, problems := range of {
		if problems.Err() == nil {
			left = append(left, problems...)
		} else {
			broken = append(broken, BrokenCustomer{Name: name, Problems: problems})
		}
	}
	slices.SortFunc(broken, func(a, b BrokenCustomer) int { return strings.Compare(string(a.Name), string(b.Name)) })
	sortProblems(left)
	return whole, broken, left
}

// customerOf is the customer that a file in customers/ is of.
func customerOf(file string) (pipeline.CustomerName, bool) {
	base, yml := strings.CutSuffix(path.Base(file), ".yml")
	if path.Dir(file) != CustomersDir || !yml {
		return "", false
	}
	name, err := pipeline.ParseCustomerName(base)
	return name, err == nil
}
