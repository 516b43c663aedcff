package cli

import (
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// listed are the customers whose targets a scan is to have. One with a broken file has all
// environments: which of them are its own is not known, and each is a failure of the scan.
func (m driftStep) listed() []pipeline.Customer {
	all := slices.Clone(m.config.Customers)
	for _, b := range m.broken {
		all = append(all, pipeline.Customer{Name: b.Name, Manager: m.config.Manager})
	}
	slices.SortFunc(all, func(a, b pipeline.Customer) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return all
}

// brokenFiles are the customers with a broken file, and what is wrong with it.
func (m driftStep) brokenFiles() map[pipeline.CustomerName]error {
	broken := map[pipeline.CustomerName]error{}
	for _, b := range m.broken {
		broken[b.Name] = pipeline.Usagef("%s/%s.yml has problems", config.CustomersDir, b.Name).Because(b.Problems).
			Nextf("correct the file: `metapipe validate` shows the problems one by one")
	}
	return broken
}
