package config

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Checkout is what a command knows about the directory that a customer works in.
type Checkout struct {
	Dir    string        // absolute
	Remote pipeline.Slug // of the remote origin; the zero value: unknown
	Name   string        // from --customer; empty: not given
	Path   string        // from --path; empty: not given
}

// Match says which registered customer a checkout belongs to.
type Match struct {
	Customer pipeline.Customer
	Found    bool
	// Because is the reason, such as "its remote is acme/reports".
	Because string
}

// String names the customer and its file, or says that there is none.
func (m Match) String() string {
	if !m.Found {
		return "rules of no customer"
	}
	text := fmt.Sprintf("as customer %s (%s)", m.Customer.Name, m.Customer.File)
	if m.Because != "" {
		text += ": " + m.Because
	}
	return text
}

// Match finds the customer of a checkout. Every command that takes a checkout asks
// here, so that all of them follow the same rules: the customer that --customer
// names, the one with the remote's repository, the one with the directory's name,
// or the only one. It is a *pipeline.UsageError when the name is not registered, or
// when several customers of one repository are in question. Found is false when
// no registered customer is clearly the one.
func (c Config) Match(checkout Checkout) (Match, error) {
	if checkout.Name != "" {
		customer, err := c.Named(checkout.Name)
		if err != nil {
			return Match{}, err
		}
		return atPath(Match{Customer: customer, Found: true}, checkout)
	}
	if same := c.inRepository(checkout); len(same) > 0 {
		m := Match{Customer: same[0], Found: true, Because: "its remote is " + same[0].Repository.String()}
		if len(same) > 1 {
			return Match{}, pipeline.Usagef("several customers live in %s", checkout.Remote).
				Nextf("name one with --customer: %s", names(same))
		}
		return atPath(m, checkout)
	}
	return c.likely(checkout), nil
}

// likely is the customer that a checkout without a known remote belongs to. Another
// --path than the customer's says that it is someone else.
func (c Config) likely(checkout Checkout) Match {
	fits := func(customer pipeline.Customer) bool { return checkout.Path == "" || checkout.Path == customer.Path }
	for _, customer := range c.Customers {
		if string(customer.Name) == filepath.Base(checkout.Dir) && fits(customer) {
			return Match{Customer: customer, Found: true, Because: "the directory has its name"}
		}
	}
	if len(c.Customers) == 1 && len(c.Unread.Customers) == 0 && fits(c.Customers[0]) {
		return Match{Customer: c.Customers[0], Found: true, Because: "it is the only registered customer"}
	}
	return Match{}
}

// Advice says how to name the customer of a checkout that no customer was found for.
func (c Config) Advice() string {
	if unread := c.Unread.advice(); unread != "" {
		return unread
	}
	if len(c.Customers) == 0 {
		return "none is registered in " + CustomersDir + "/"
	}
	return "name it with --customer: " + names(c.Customers)
}

// Named is the registered customer of a flag. It is a *pipeline.UsageError that
// names the choices when the flag is empty or names no registered customer.
func (c Config) Named(name string) (pipeline.Customer, error) {
	choices := c.choices()
	if name == "" {
		return pipeline.Customer{}, pipeline.Usagef("--customer is missing").Nextf("%s", choices)
	}
	for _, customer := range c.Customers {
		if string(customer.Name) == name {
			return customer, nil
		}
	}
	message := fmt.Sprintf("customer %q does not exist in %s/", name, CustomersDir)
	if slices.Contains(c.Unread.Customers, customerFile(name+".yml")) || slices.Contains(c.Unread.Customers, CustomersDir) {
		message = fmt.Sprintf("customer %q cannot be read", name)
	}
	known := make([]pipeline.CustomerName, len(c.Customers))
	for i, customer := range c.Customers {
		known[i] = customer.Name
	}
	return pipeline.Customer{}, pipeline.Usagef("%s", message).Nextf("%s%s", pipeline.DidYouMean(name, known), choices)
}

// choices names the registered customers, or says how to register one.
func (c Config) choices() string {
	if unread := c.Unread.advice(); unread != "" {
		if len(c.Customers) == 0 {
			return unread
		}
		return "one of " + names(c.Customers) + "; " + unread
	}
	if len(c.Customers) == 0 {
		return "register one: write " + CustomersDir + "/NAME.yml with " + CustomerExample
	}
	return "one of " + names(c.Customers)
}

// maxNames bounds how many names an error lists.
const maxNames = 20

func names(customers []pipeline.Customer) string {
	var out []string
	for i, c := range customers {
		if i == maxNames {
			out = append(out, fmt.Sprintf("and %d more in %s/", len(customers)-i, CustomersDir))
			break
		}
		out = append(out, string(c.Name))
	}
	return strings.Join(out, ", ")
}

// inRepository are the customers of the remote's repository. Where there are
// several, --path chooses among them, and then the files that are there.
func (c Config) inRepository(checkout Checkout) []pipeline.Customer {
	var all []pipeline.Customer
	for _, customer := range c.Customers {
		if checkout.Remote != (pipeline.Slug{}) && customer.Repository.Equal(checkout.Remote) {
			all = append(all, customer)
		}
	}
	if len(all) < 2 {
		return all
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(customer pipeline.Customer) bool {
		if checkout.Path != "" {
			return customer.Path != checkout.Path
		}
		_, err := os.Lstat(filepath.Join(checkout.Dir, filepath.FromSlash(path.Join(customer.Path, pipeline.VariablesFile))))
		return err != nil
	})
	if len(chosen) == 0 {
		return all
	}
	return chosen
}

// atPath refuses a --path that is not the one of the customer.
func atPath(m Match, checkout Checkout) (Match, error) {
	if checkout.Path == "" || checkout.Path == m.Customer.Path {
		return m, nil
	}
	return Match{}, pipeline.Usagef("--path is %q, and %s says %q for customer %s",
		checkout.Path, m.Customer.File, m.Customer.Path, m.Customer.Name).
		Nextf("leave out --path, or name another customer with --customer")
}
