package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

type propertiesSchemaOptions struct {
	changeOptions
	organizations []string
}

func newPropertiesSchemaCmd(app *App) *cobra.Command {
	var o propertiesSchemaOptions
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Compare the definitions of custom properties with metapipe.yml, and write them",
		Long: `schema compares the definitions of custom properties of each organization that owns a
customer's repository with "properties" of metapipe.yml. It prints what it would write,
and with --apply writes it. Fields that metapipe.yml does not speak of stay as they are,
and so do definitions of other properties.

It refuses to change a type, to drop an allowed value that a repository has, and to edit
what the enterprise has defined. Then nothing is written. Right before the write, each
definition must still be the one that was shown; it is read back after it. The ledger of
the fleet (metapipe ledger) records both. A file with the way back is kept, which --from
takes. It deletes a new definition only while no repository has a value of it.

Environment: SOURCE_REPOS_PAT of an owner of the organization (custom properties of the
organization, admin; without --apply read) with access to all of its repositories; a
GitHub App is not used. With --apply METAPIPE_KEY. AWS with --apply: read and write of
the bucket.
Exit code 1: a definition could not be written. Exit code 4: something else was there.`,
		Example: `  metapipe properties schema
  metapipe properties schema --organization acme --apply
  metapipe properties schema --from metapipe-undo-1b9d6bcd.json --apply`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.propertiesSchema(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringArrayVar(&o.organizations, "organization", nil, "only this organization `NAME`; may be given again")
	return cmd
}

func (a *App) propertiesSchema(ctx context.Context, o propertiesSchemaOptions) error {
	var file change.File
	if o.from != "" {
		var err error
		if file, err = a.changeFile(o.changeOptions, properties.KindSchema); err != nil {
			return err
		}
		if len(o.organizations) > 0 {
			return pipeline.Usagef("--from names organizations itself").Nextf("leave out --organization")
		}
	}
	if err := o.check(); err != nil {
		return err
	}
	o.tokens = []string{envSourceToken}
	var owners []pipeline.Slug
	m, err := a.changeManager(ctx, o.changeOptions, func(m *manager) (err error) {
		owners, err = m.owners(o.organizations)
		return err
	})
	if err != nil {
		return err
	}
	client, err := m.github.personal(envSourceToken)
	if err != nil {
		return err
	}
	definer := properties.Definer{GitHub: client, Owners: owners}
	var plan change.Plan
	var notes []string
	if o.from != "" {
		plan, err = definer.FromFile(ctx, file)
	} else {
		plan, notes, err = definer.Plan(ctx, m.config.Manager, len(o.organizations) > 0)
	}
	if err != nil {
		return err
	}
	return m.play(ctx, o.changeOptions, plan, properties.SchemaWriter{GitHub: client}, "metapipe properties schema", notes...)
}

// owners are the owners of customers' repositories, each with one of these, in ascending order; only
// those that are named, where some are.
func (m *manager) owners(named []string) ([]pipeline.Slug, error) {
	var all []pipeline.Slug
	for _, c := range m.config.Customers {
		if !slices.ContainsFunc(all, func(s pipeline.Slug) bool { return strings.EqualFold(s.Owner, c.Repository.Owner) }) {
			all = append(all, c.Repository)
		}
	}
	slices.SortFunc(all, func(a, b pipeline.Slug) int {
		return strings.Compare(strings.ToLower(a.Owner), strings.ToLower(b.Owner))
	})
	if len(named) == 0 {
		return all, nil
	}
	var some []pipeline.Slug
	for _, name := range named {
		i := slices.IndexFunc(all, func(s pipeline.Slug) bool { return strings.EqualFold(s.Owner, name) })
		if i < 0 {
			return nil, pipeline.Usagef("no customer has a repository of organization %q", name).Nextf("name the owner of one in customers/")
		}
		some = append(some, all[i])
	}
	return some, nil
}
