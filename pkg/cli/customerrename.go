package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/render"
)

type renameOptions struct {
	directories
	old, new    string
	apply, json bool
}

func newCustomerCmd(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "customer",
		Short:   "Move a customer to another name",
		Example: "  metapipe customer rename shop store",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCustomerRenameCmd(app))
	return cmd
}

func newCustomerRenameCmd(app *App) *cobra.Command {
	var o renameOptions
	cmd := &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Copy the states and records of a customer to its new name",
		Long: `rename moves a customer after its file was renamed from customers/OLD.yml to
customers/NEW.yml. It prints what it would copy: the state of each environment and the
record of its last apply. With --apply it copies them, notes the rename in the ledgers of
both names, and registers the new name last. From then on, plans use the new name.

It removes nothing: what lies under the old name stays readable, and is not used any
more. It can be stopped at any time; run again, it goes on where it has stopped.

The other paths that the customer has had in its repository go along.

It refuses (exit code 4) while a state is locked or a request is open, where a state is
lost, and where the new name has a state of its own. Terraform reads and writes the
states, also those in a backend of your own, and takes the lock of the new one.

The states of Pulumi, CloudFormation, Kubernetes and Crossplane cannot be copied: rename
refuses (exit code 2) while metapipe.yml has a stack of one of these.

Environment: METAPIPE_KEY. AWS: read and write of the bucket.`,
		Example: "  metapipe customer rename shop store\n  metapipe customer rename shop store --apply",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return pipeline.Usagef("rename takes the old and the new name of a customer").Nextf("%s", seeHelp(cmd))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.old, o.new = args[0], args[1]
			return app.customerRename(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().BoolVar(&o.apply, "apply", false, "copy, instead of showing what would be copied")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) customerRename(ctx context.Context, o renameOptions) error {
	old, err := pipeline.ParseCustomerName(o.old)
	if err != nil {
		return pipeline.Usagef("the old name").Because(err).Nextf("`metapipe state list` shows the names that the store has")
	}
	name, err := pipeline.ParseCustomerName(o.new)
	if err != nil {
		return pipeline.Usagef("the new name").Because(err).Nextf("a name is that of a file in %s/, without .yml", config.CustomersDir)
	}
	if err := registry.CheckNames(old, name); err != nil {
		return err
	}
	m, c, err := a.renamedCustomer(ctx, o, old, name)
	if err != nil {
		return err
	}
	dir, remove, err := m.workDir(o.directories, "rename", string(c.Name))
	if err != nil {
		return err
	}
	defer remove()
	renamer := &registry.Renamer{Store: m.store, Sealer: m.sealer, Engine: moverByStack{m}, Locks: statesOf(m), Now: a.Now}
	in := registry.RenameInput{Old: old, New: c, ManagerDir: m.dir, RunDir: dir, Run: m.run(), Actor: m.operator(),
		Backend: m.backend}
	if kept, stays := m.config.Customer(old); stays {
		in.Kept = &kept
	}
	result, err := renamer.Run(ctx, in, o.apply)
	if err != nil {
		return err
	}
	if o.json {
		return a.printJSON(result)
	}
	return renamingOf(m).print(result)
}

// renamedCustomer opens the manager, whose checkout has the file under its new name.
func (a *App) renamedCustomer(ctx context.Context, o renameOptions, old, name pipeline.CustomerName) (*manager, pipeline.Customer, error) {
	m, err := a.stateManager(ctx, stateOptions{targetOptions: targetOptions{directories: o.directories}}, func(m *manager) error { return renamingOf(m).onePlace(old, name) })
	if err != nil {
		return nil, pipeline.Customer{}, err
	}
	c, found := m.config.Customer(name)
	if !found {
		return nil, c, renamingOf(m).noNewFile(ctx, old, name)
	}
	m.sealer, err = m.keys().sealer(ctx)
	return m, c, err
}

// renaming checks the rename of a customer, and prints what is left to do.
type renaming struct{ *manager }

func renamingOf(m *manager) renaming { return renaming{m} }

// onePlace refuses a rename while both files are of one repository and path.
func (m renaming) onePlace(old, name pipeline.CustomerName) error {
	before, stays := m.config.Customer(old)
	c, found := m.config.Customer(name)
	if !stays || !found || old == name || before.RepositoryID != c.RepositoryID || before.Path != c.Path {
		return nil
	}
	return pipeline.Usagef("%s and %s are of the same repository and path", customerFile(old), customerFile(name)).
		Nextf("keep the file with the new name alone")
}

func (m renaming) print(r registry.RenameResult) error {
	out := m.app.Out
	if r.Already {
		_, err := fmt.Fprintf(out, "customer %s is %s already: nothing to do\n", r.Old, r.New)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tENVIRONMENT\tFROM\tTO")
	for _, move := range r.Moves {
		to := render.TerminalLine(move.To)
		if move.Done {
			to += " (there already)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", move.What, pipeline.Target{Environment: move.Environment, Stack: move.Stack}.Name(), render.TerminalLine(move.From), to)
	}
	err := w.Flush()
	if !r.Applied {
		_, lineErr := fmt.Fprintf(out, "nothing is written: `metapipe customer rename %s %s --apply` does it\n", r.Old, r.New)
		return errors.Join(err, lineErr)
	}
	_, lineErr := fmt.Fprintf(out, "customer %s is %s now. What lies under the old name stays: keep its ledgers and requests as long as your rules say;\nthe "+
		"states can go: `%s`\n", r.Old, r.New, m.removal(r.Old))
	return errors.Join(err, lineErr)
}

// removal is the command that removes the states of an old name.
func (m renaming) removal(old pipeline.CustomerName) string {
	state := m.config.Manager.State
	switch {
	case state.Backend.Type != "":
		return "remove them where the backend " + state.Backend.Type + " keeps them"
	case state.Bucket.Name != "":
		prefix := state.Bucket.Prefix
		if prefix != "" {
			prefix += "/"
		}
		return fmt.Sprintf("aws s3 rm s3://%s/%s%s/ --recursive --exclude '*' --include '*/terraform.tfstate'", state.Bucket.Name, prefix, old)
	}
	return "rm " + filepath.Join(m.directory, string(old), "*", "terraform.tfstate")
}
