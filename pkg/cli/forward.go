package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

func newForwardCmd(app *App) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use:   "forward",
		Short: "Forward a customer's request to the manager (inbox's workflow)",
		Long: `forward runs in the workflow of an inbox: a repository between the customers and the
manager. Customers have a token for the inbox alone, which can neither read the manager
nor push to it. forward takes the request of the event repository_dispatch and sends it to
the manager with a token of the provider.

It sends nothing but the fields of a request, written anew, and refuses (exit code 3) other
event types, other fields and payloads above 32 KiB. It proves nothing: the manager verifies
the request exactly as one that came without an inbox, and the customer's run has signed it
for the manager. It reads no file of the inbox.

Environment: MANAGER_REPO_PAT (manager: contents write) or METAPIPE_APP_ID and
METAPIPE_APP_PRIVATE_KEY, MANAGER_REPO_OWNER and MANAGER_REPO_NAME.`,
		Example: "  metapipe forward",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.forward(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.manager, "manager", "", "manager repository `OWNER/NAME` (env MANAGER_REPO_OWNER, MANAGER_REPO_NAME)")
	return cmd
}

func (a *App) forward(ctx context.Context, o triggerOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	if !s.context.InActions {
		return pipeline.Usagef("forward needs the event of a workflow run").Nextf("run it in GitHub Actions, in the workflow of the inbox")
	}
	manager, err := triggeringOf(s).managerOf(o)
	if err != nil {
		return err
	}
	event, err := actions.LoadEvent(s.context)
	if err != nil {
		return err
	}
	client, err := s.github.clientFor(envManagerToken, grantSend)
	if err != nil {
		return err
	}
	return intake.Forward{Manager: client, Logf: a.logf}.Run(ctx, intake.ForwardInput{Event: event, Manager: manager})
}
