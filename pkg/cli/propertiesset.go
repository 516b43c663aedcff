package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

type propertiesSetOptions struct {
	changeOptions
	customers, unset, values []string
	all                      bool
	reason                   string
}

func newPropertiesSetCmd(app *App) *cobra.Command {
	var o propertiesSetOptions
	cmd := &cobra.Command{
		Use:   "set [NAME=VALUE...]",
		Short: "Set custom properties of customers' repositories",
		Long: `set prints which values it would write, and with --apply writes them. Each value is
checked against the definition of its organization first; one wrong value and nothing is
written. The items of a multi-select property stand between commas, or in a JSON list
where an item holds a comma; NAME= is the empty list. --unset NAME takes a value away.

Right before the write, the repository must still have its id and name, and each value
must still be the one that was shown. Other rows are refused, and the rest is written.
Each value is read back. The ledger of the customer records both values. A file with the
way back is kept, which --from takes.

More than 30 repositories, or a tenth of all, need --max-changes N. Two runs at once do
not overwrite each other. A run that was stopped can be run again.

Environment: SOURCE_REPOS_PAT (custom properties of the organization, write; customers:
metadata read); with --apply METAPIPE_KEY. AWS with --apply: read and write of the
bucket.
Exit code 1: a value could not be written. Exit code 4: something else was there.`,
		Example: `  metapipe properties set --customer shop infrastructure_tools=network,dns
  metapipe properties set --customer shop --unset terraform_version --apply
  metapipe properties set --all region_restriction=eu-only --apply --max-changes 45
  metapipe properties set --from metapipe-undo-1b9d6bcd.json --apply`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.values = args
			return app.propertiesSet(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringArrayVar(&o.customers, "customer", nil, "customer `NAME`; may be given again")
	cmd.Flags().BoolVar(&o.all, "all", false, "all customers")
	cmd.Flags().StringArrayVar(&o.unset, "unset", nil, "take away the value of the property `NAME`; may be given again")
	cmd.Flags().StringVar(&o.reason, "reason", "", "`TEXT` that the plan shows with each value")
	return cmd
}

// read checks the flags and reads what they assign.
func (o propertiesSetOptions) read() ([]properties.Assignment, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.from != "" {
		if o.all || len(o.customers)+len(o.unset)+len(o.values) > 0 {
			return nil, pipeline.Usagef("--from names repositories and values itself").Nextf("leave out --customer, --all, --unset and NAME=VALUE")
		}
		return nil, nil
	}
	var assignments []properties.Assignment
	for _, arg := range o.values {
		a, err := properties.ParseAssignment(arg)
		if err != nil {
			return nil, pipeline.Usagef("%s", err.Error()).Nextf("write, for example: infrastructure_tools=network,dns")
		}
		assignments = append(assignments, a)
	}
	for _, name := range o.unset {
		if _, err := properties.ParseName(name); err != nil {
			return nil, pipeline.Usagef("--unset: %s", err.Error())
		}
		assignments = append(assignments, properties.Assignment{Name: name, Unset: true})
	}
	switch {
	case len(assignments) == 0:
		return nil, pipeline.Usagef("nothing is to be set").Nextf("write NAME=VALUE, --unset NAME, or --from FILE")
	case o.all == (len(o.customers) > 0):
		return nil, pipeline.Usagef("name the customers with --customer, or all of them with --all")
	}
	return assignments, nil
}

func (a *App) propertiesSet(ctx context.Context, o propertiesSetOptions) error {
	var file change.File
	if o.from != "" {
		var err error
		if file, err = a.changeFile(o.changeOptions, properties.KindValues); err != nil {
			return err
		}
	}
	assignments, err := o.read()
	if err != nil {
		return err
	}
	o.tokens, o.tolerant = []string{envSourceToken}, !o.all
	var customers []pipeline.Customer
	m, err := a.changeManager(ctx, o.changeOptions, func(m *manager) (err error) {
		customers, err = m.customersNamed(o.customers)
		return err
	})
	if err != nil {
		return err
	}
	client, err := m.github.clientFor(envSourceToken, setGrants(o.apply))
	if err != nil {
		return err
	}
	oneByOne := a.getenv(envAppID) != ""
	setter := &properties.Setter{GitHub: client, All: m.config.Customers, OneByOne: oneByOne}
	var plan change.Plan
	var notes []string
	if o.from != "" {
		plan, notes, err = setter.FromFile(ctx, file)
	} else {
		plan, notes, err = setter.Plan(ctx, customers, assignments, pipeline.PlainLine(o.reason))
	}
	if err != nil {
		return err
	}
	return m.play(ctx, o.changeOptions, plan, properties.ValueWriter{GitHub: client, OneByOne: oneByOne}, "metapipe properties set", notes...)
}

// customersNamed are the customers with those names, or all where none is given.
func (m *manager) customersNamed(names []string) ([]pipeline.Customer, error) {
	if len(names) == 0 {
		return slices.Clone(m.config.Customers), nil
	}
	var list []pipeline.Customer
	for _, name := range names {
		c, err := m.customer(name)
		if err != nil {
			return nil, m.orBroken(name, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// activeCustomers are those that are not offboarded.
func (m *manager) activeCustomers() []pipeline.Customer {
	return slices.DeleteFunc(slices.Clone(m.config.Customers), func(c pipeline.Customer) bool { return c.Offboarded })
}

// orBroken is why a customer is not known: its file may have problems.
func (m *manager) orBroken(name string, err error) error {
	for _, b := range m.broken {
		if string(b.Name) == name {
			return pipeline.Usagef("%s/%s.yml has problems", config.CustomersDir, name).Because(b.Problems).Nextf("`metapipe validate` shows them one by one")
		}
	}
	return err
}
