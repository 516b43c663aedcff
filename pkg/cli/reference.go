package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newReferenceCmd prints docs/REFERENCE.md, which the tests compare with the
// file in the repository.
func newReferenceCmd(app *App) *cobra.Command {
	return &cobra.Command{
		Use:    "reference",
		Short:  "Print the reference of all commands as Markdown",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(app.Out, Reference(cmd.Root()))
			return err
		},
	}
}

// Reference renders the command tree and the exit codes as Markdown.
func Reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Reference\n\nGenerated from the command tree by `make golden`; edit the commands in `pkg/cli` instead.\n\n")
	b.WriteString("## Exit codes\n\n| code | meaning |\n|---:|---|\n")
	for _, e := range ExitCodes {
		fmt.Fprintf(&b, "| %d | %s |\n", e.Code, e.Meaning)
	}
	commandSections(&b, root, "##")
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// commandSections describes the commands below parent, each before its own.
func commandSections(b *strings.Builder, parent *cobra.Command, heading string) {
	for _, cmd := range parent.Commands() {
		if cmd.Hidden || cmd.Name() == "help" {
			continue
		}
		fmt.Fprintf(b, "\n%s %s\n\n%s.\n\n", heading, cmd.CommandPath(), cmd.Short)
		if cmd.Long != "" {
			fmt.Fprintf(b, "%s\n\n", cmd.Long)
		}
		if cmd.Example != "" {
			fmt.Fprintf(b, "```sh\n%s\n```\n\n", strings.ReplaceAll(cmd.Example, "  metapipe", "metapipe"))
		}
		flagTable(b, cmd)
		commandSections(b, cmd, heading+"#")
	}
}

func flagTable(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.LocalFlags().HasAvailableFlags() {
		return
	}
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += " " + value
		}
		def := ""
		if f.DefValue != "" && f.DefValue != "false" {
			def = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, def, usage)
	})
}
