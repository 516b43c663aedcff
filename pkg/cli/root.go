package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/render"
)

// Main runs one command line and returns its exit code. The error, if any, has
// been printed to app.Err.
func Main(ctx context.Context, args []string, app App) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	app.onTerminal, app.pen = isTerminal(app.Err, app.lookup), penOf(app.Out, app.lookup)
	app.Out, app.Err = &pipe{w: app.Out, cancel: cancel}, &pipe{w: app.Err, cancel: cancel}
	app.commands = app.Out
	defer app.flush()
	root := NewRoot(&app)
	root.SetArgs(args)
	root.SetIn(app.In)
	root.SetOut(app.Out)
	root.SetErr(app.Err)
	err := errors.Join(root.ExecuteContext(ctx), app.unhelpful)
	app.logBudget()
	var findings findingsError
	if err != nil && !errors.As(err, &findings) && !onlyClosedPipe(err) {
		_, _ = app.newStep() // for its masks; what it fails on is in err, or not to the point
		fmt.Fprintf(app.Err, "metapipe: %s\n", indentFollowing(render.Terminal(closedPipeOnce(plainWords(ctx, err)))))
		app.annotate(err)
	}
	return exitCode(ctx, err)
}

// NewRoot builds the command tree; the reference is generated from it.
func NewRoot(app *App) *cobra.Command {
	root := &cobra.Command{
		Use:   "metapipe",
		Short: "Plan and apply infrastructure changes of customer repositories",
		Long: `metapipe plans and applies changes of a customer's infra/variables.yml with the
service provider's Terraform, and reports the result to the customer: trigger →
fetch-vars → plan → gate → apply → report. Each command is one step of a GitHub
Actions workflow, and also runs on a laptop.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	printVersion := root.Flags().BoolP("version", "v", false, "version for metapipe") // cobra's own is a template
	root.Args = func(cmd *cobra.Command, args []string) error {
		if *printVersion {
			return nil
		}
		return noArguments(cmd, args)
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *printVersion {
			return app.printVersion()
		}
		return cmd.Help()
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		app.command = cmd.CommandPath()
		if *printVersion {
			return nil
		}
		return app.checkRef(cmd)
	}
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = -1 // suggested here, see near
	root.AddGroup(&cobra.Group{ID: groupCustomer, Title: "Customer commands:"}, &cobra.Group{ID: groupManager, Title: "Manager workflow commands:"},
		&cobra.Group{ID: groupOperator, Title: "Operator commands:"})
	root.AddCommand(grouped(groupCustomer, newTriggerCmd(app), newValidateCmd(app))...)
	root.AddCommand(grouped(groupManager, newForwardCmd(app), newFetchVarsCmd(app), newPlanCmd(app), newApplyCmd(app), newReportCmd(app), newDriftCmd(app), newSweepCmd(app))...)
	root.AddCommand(grouped(groupOperator, newInitCmd(app), newOnboardCmd(app), newOffboardCmd(app), newDoctorCmd(app), newRehearseCmd(app), newStatusCmd(app), newPropertiesCmd(app), newComplianceCmd(app), newSyncCmd(app), newSpaceliftCmd(app), newStateCmd(app), newCustomerCmd(app), newUnlockCmd(app), newLedgerCmd(app), newRekeyCmd(app), newBootstrapCmd(app), newSchemaCmd(app))...)
	root.AddCommand(newVersionCmd(app), newReferenceCmd(app))
	root.AddCommand(newTopics()...)
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		// The help of a group of commands is no answer to a command that is not one of them.
		if named := cmd.Flags().Args(); cmd.HasSubCommands() && len(named) > 0 {
			app.unhelpful = noArguments(cmd, named)
			return
		}
		help(cmd, args)
	})
	root.InitDefaultHelpCmd()
	if helpCmd, _, err := root.Find([]string{"help"}); err == nil {
		helpCmd.Run = nil
		helpCmd.RunE = func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = noArguments(cmd, rest)
			}
			if err != nil {
				return err
			}
			return cmd.Help()
		}
	}
	refuseDashes(root)
	sayRefs(root)
	if err := app.completeFlags(root); err != nil {
		panic(err) // two functions for one flag: a mistake in this package
	}
	return root
}

// plainWords are the words of an error; a person who has pressed Ctrl-C knows of
// no context.
func plainWords(ctx context.Context, err error) string {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), context.Canceled.Error(), "cancelled")
}

// indentFollowing sets off the further lines of a message.
func indentFollowing(s string) string {
	return strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}
