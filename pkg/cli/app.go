// Package cli is the command tree of metapipe, one file per command: flags and
// environment in, adapters built, errors and exit codes out.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/report"
	"github.com/metapipe/metapipe/pkg/text"
)

// App is what a process brings along: nothing in this package reads globals.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // as of os.Environ
	Dir      string   // working directory
	Binary   string   // path of this executable, for rehearse
	Version  Version
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error

	onTerminal bool     // Err is one; asked before a mask is put before it
	pen        text.Pen // of Out, likewise

	commands io.Writer  // Out, before it was disarmed
	step     *step      // made once: masks are printed once
	secrets  *secretSet // nil until the streams are guarded
	command  string     // such as "metapipe report"
}

// Version is what `metapipe version` prints.
type Version struct {
	Number, Commit, Date string
}

// Main runs one command line and returns its exit code. The error, if any, has
// been printed to app.Err.
func Main(ctx context.Context, args []string, app App) int {
	app.commands, app.onTerminal = app.Out, isTerminal(app.Err, app.lookup)
	app.pen = penOf(app.Out, app.lookup)
	defer app.flush()
	root := NewRoot(&app)
	root.SetArgs(args)
	root.SetIn(app.In)
	root.SetOut(app.Out)
	root.SetErr(app.Err)
	err := root.ExecuteContext(ctx)
	app.logBudget()
	var findings findingsError
	if err != nil && !errors.As(err, &findings) {
		_, _ = app.newStep() // for its masks; what it fails on is in err, or not to the point
		fmt.Fprintf(app.Err, "metapipe: %s\n", indentFollowing(report.Terminal(plainWords(ctx, err))))
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
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { app.command = cmd.CommandPath() },
	}
	root.Version = app.Version.built(debug.ReadBuildInfo).String()
	root.SetVersionTemplate("{{ .Version }}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &pipeline.UsageError{Message: err.Error(), Next: "see `" + cmd.CommandPath() + " --help`"}
	})
	root.SuggestionsMinimumDistance = -1 // suggested here, see near
	root.AddGroup(&cobra.Group{ID: groupCustomer, Title: "Customer commands:"}, &cobra.Group{ID: groupManager, Title: "Manager workflow commands:"},
		&cobra.Group{ID: groupOperator, Title: "Operator commands:"})
	root.AddCommand(grouped(groupCustomer, newTriggerCmd(app), newValidateCmd(app))...)
	root.AddCommand(grouped(groupManager, newFetchVarsCmd(app), newPlanCmd(app), newApplyCmd(app), newReportCmd(app), newDriftCmd(app), newSweepCmd(app))...)
	root.AddCommand(grouped(groupOperator, newRehearseCmd(app), newStateCmd(app), newCustomerCmd(app), newUnlockCmd(app), newLedgerCmd(app), newRekeyCmd(app), newBootstrapCmd(app), newSchemaCmd(app))...)
	root.AddCommand(newVersionCmd(app), newReferenceCmd(app))
	root.AddCommand(newTopics()...)
	if err := app.completeFlags(root); err != nil {
		panic(err) // two functions for one flag: a mistake in this package
	}
	return root
}

// noArguments refuses positional arguments as a usage mistake.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	next := "see `" + cmd.CommandPath() + " --help`"
	if like := nearestCommand(cmd, args[0]); like != "" {
		next = "did you mean `" + cmd.CommandPath() + " " + like + "`?"
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("%q is not a command or argument of %s", args[0], cmd.CommandPath()), Next: next}
}

// nearestCommand is the command below cmd that was probably meant, "" when none is near: the
// same rule as for keys of files, so "man" is not taken for "plan".
func nearestCommand(cmd *cobra.Command, word string) string {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return pipeline.Nearest(word, names)
}

// logf prints a line of progress for people; it goes to stderr, so that stdout
// carries results only.
func (a *App) logf(format string, args ...any) {
	fmt.Fprintf(a.Err, "metapipe: %s\n", report.Terminal(fmt.Sprintf(format, args...)))
}

func (a *App) getenv(name string) string {
	value, _ := a.lookup(name)
	return value
}

func (a *App) lookup(name string) (string, bool) {
	for i := len(a.Environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(a.Environ[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
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
