package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal"
)

type rehearseOptions struct {
	managerDir, customerDir, inboxDir, customer, proposal, approve, out string
	customerWorkflow, open                                              bool
}

func newRehearseCmd(app *App) *cobra.Command {
	var o rehearseOptions
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Run the whole two-repo flow on this machine, with the real tool and without GitHub",
		Long: `rehearse takes a manager and a customer checkout, also with uncommitted edits. It
runs the flow from a pull request to the production apply: it executes the workflow files
of the two checkouts, step by step, with this binary as metapipe. A checkout without them
gets the shipped ones. GitHub is a server on this machine, and states are files. The scripts
of the workflows run as they are written, as your user; metapipe itself changes nothing
outside of the output folder. The tool is real: what your code creates is created, with
the credentials of this shell, and stays after the rehearsal. Use an account or a cluster
for experiments. A customer's workflow that is not as shipped is replaced by the
shipped one, since it may run anything. With --customer-workflow it is played as it is, but
only the jobs that run metapipe.

Where the provider has an inbox, --inbox-dir names its checkout: the customer's token is for
the inbox alone then, and its workflow forwards each request to the manager.

Known actions have stand-ins (checkout, upload-artifact, download-artifact, cache,
configure-aws-credentials, create-github-app-token, setup-terraform, setup-opentofu). For
any other one, write a composite action to .rehearsal/actions/OWNER/NAME/action.yml in the
same checkout.

The pull request proposes the file of --proposal. Without it, it proposes the uncommitted
edits of the customer checkout, or else its variables.yml as a new file.

If metapipe.yml uses custom properties and has several stacks, the customer begins without
the last stack, and switches it on with the property after the merge.

At the end a folder holds what every party would see, and a page of the whole
story.

Environment: METAPIPE_TOOL, the path of the terraform or tofu binary that plans
(default: the first fitting one in PATH); BROWSER; NO_COLOR.`,
		Example: "  metapipe rehearse --manager-dir . --customer-dir ../shop-platform --approve yes",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.rehearse(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "`DIR` of the customer checkout")
	cmd.Flags().StringVar(&o.inboxDir, "inbox-dir", "", "`DIR` of the inbox checkout (default: requests go to the manager)")
	cmd.Flags().StringVar(&o.customer, "customer", "", "registered customer `NAME` (default: the one that the checkout belongs to)")
	cmd.Flags().StringVar(&o.proposal, "proposal", "", "`FILE`: the variables.yml that the pull request proposes")
	cmd.Flags().BoolVar(&o.customerWorkflow, "customer-workflow", false, "play the workflow of the customer checkout also if it is not as shipped: its scripts run as your user")
	cmd.Flags().StringVar(&o.approve, "approve", "ask", "`ANSWER` of the reviewers of gated environments: ask, yes or no")
	cmd.Flags().StringVar(&o.out, "out", "", "`DIR` for what every party would see; must be empty (default: a new one under rehearsal/)")
	cmd.Flags().BoolVar(&o.open, "open", false, "open the page of the story in a browser at the end ($BROWSER, or that of the desktop)")
	required(cmd, "customer-dir")
	return cmd
}

func (a *App) rehearse(ctx context.Context, o rehearseOptions) error {
	if o.customerDir == "" {
		return pipeline.Usagef("--customer-dir is missing").Nextf("name the checkout of a customer repository")
	}
	if a.Binary == "" {
		return errNoBinary
	}
	if err := a.checkoutDir("--customer-dir", o.customerDir); err != nil {
		return err
	}
	managerDir, err := a.managerDir(o.managerDir)
	if err != nil {
		return err
	}
	options := rehearsal.Options{
		Tool:   (&step{app: a}).checkTool,
		Binary: a.Binary, ManagerDir: managerDir, CustomerDir: a.absolute(o.customerDir),
		Customer: o.customer, CustomerWorkflow: o.customerWorkflow, Approve: rehearsal.Approve(o.approve), In: a.In, Terminal: a.Out, Environ: a.environWithTool(), Now: a.Now,
	}
	if o.proposal != "" {
		if options.Proposal, err = a.namedFile("--proposal", o.proposal, "name a file with the variables.yml that the pull request proposes"); err != nil {
			return err
		}
	}
	if o.out != "" {
		options.Out = a.absolute(o.out)
	}
	if o.inboxDir != "" {
		if err := a.checkoutDir("--inbox-dir", o.inboxDir); err != nil {
			return err
		}
		options.InboxDir = a.absolute(o.inboxDir)
	}
	options.Color, options.Width = a.pen.Color, a.pen.Width
	result, err := rehearsal.Run(ctx, options)
	if o.open && result.Out != "" {
		a.openPage(filepath.Join(result.Out, rehearsal.PageFile))
	}
	if err != nil {
		return err
	}
	if !result.OK() {
		return errors.New(fmt.Sprint("the rehearsal did not go as a rehearsal should; see ", result.Out))
	}
	return nil
}

// environWithTool has METAPIPE_TOOL as an absolute path: jobs have working
// directories of their own.
func (a *App) environWithTool() []string {
	tool := a.getenv(envTool)
	if tool == "" {
		return a.Environ
	}
	environ := slices.DeleteFunc(slices.Clone(a.Environ), func(pair string) bool { return strings.HasPrefix(pair, envTool+"=") })
	return append(environ, envTool+"="+a.absolute(tool))
}
