package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/render"
)

func newPropertiesCmd(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "properties",
		Short: "Show and set custom properties of customers' repositories",
		Long: `properties works on the custom properties that organizations on GitHub give to the
repositories of customers. docs/CUSTOM-PROPERTIES.md says what each of them does.`,
		Example: "  metapipe properties show",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPropertiesShowCmd(app), newPropertiesSetCmd(app), newPropertiesSchemaCmd(app))
	return cmd
}

type propertiesOptions struct {
	managerDir, customer string
	json                 bool
}

func newPropertiesShowCmd(app *App) *cobra.Command {
	var o propertiesOptions
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the properties of each customer, where they come from and what they do",
		Long: `show prints each custom property that metapipe.yml uses, with its value, its origin and
its effect on the next request. A property that would reject the next request is named
with what to do about it. It changes nothing, and reads neither store nor state.

The origin github is a value of the repository or the default of its organization;
metapipe.yml is a default of the manager, and unset is neither. One call of GitHub's
GraphQL API reads 100 repositories, of any owners. With --customer, or as a GitHub App,
there is one call for each repository. A GitHub Enterprise Server whose GraphQL API has
no custom properties is asked for the list of each organization.

Environment: SOURCE_REPOS_PAT (customers: metadata read; on such a server also custom
properties of the organization, read).
Exit code 1: the properties of a customer could not be read.`,
		Example: `  metapipe properties show
  metapipe properties show --customer example-customer --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.propertiesShow(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&o.customer, "customer", "", "only this customer `NAME`")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) propertiesShow(ctx context.Context, o propertiesOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	s.only, s.tolerant = o.customer, true
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return err
	}
	customers := slices.Clone(m.config.Customers)
	if o.customer != "" {
		c, err := m.customer(o.customer)
		if err != nil {
			return err
		}
		customers = []pipeline.Customer{c}
	}
	all, err := a.customerProperties(ctx, m, customers)
	if err != nil {
		return err
	}
	broken := driftOf(m).brokenFiles()
	for name, why := range broken {
		all = append(all, properties.CustomerProperties{Customer: name, Properties: []properties.PropertyEffect{}, Unread: why.Error()})
	}
	slices.SortFunc(all, func(x, y properties.CustomerProperties) int {
		return strings.Compare(string(x.Customer), string(y.Customer))
	})
	if o.json {
		err = a.printJSON(all)
	} else {
		_, err = fmt.Fprint(a.Out, render.PropertiesList(all))
	}
	unread := slices.DeleteFunc(slices.Clone(all), func(c properties.CustomerProperties) bool { return c.Unread == "" })
	if err == nil && len(unread) > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("the properties of %d of %d customers could not be read", len(unread), len(all)), Next: "the list says why for each"}
	}
	return err
}

// customerProperties asks GitHub for the properties, if metapipe.yml uses any.
func (a *App) customerProperties(ctx context.Context, m *manager, customers []pipeline.Customer) ([]properties.CustomerProperties, error) {
	var client properties.ShowGitHub
	if m.config.Manager.Properties == nil {
		a.logf("%s has no `properties`, so custom properties do nothing", config.ManagerFile)
	} else if token, err := m.github.clientFor(envSourceToken, grantProperties); err != nil {
		return nil, err
	} else {
		client = token
	}
	return properties.Show(ctx, client, customers, config.VersionsOverlap, a.getenv(envAppID) != ""), ctx.Err()
}
