package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// noArguments refuses positional arguments as a usage mistake.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	next := seeHelp(cmd)
	if like := nearestCommand(cmd, args[0]); like != "" {
		next = "did you mean `" + cmd.CommandPath() + " " + like + "`?"
	}
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
		for _, flag := range directoryFlags(args[0]) {
			if cmd.Flags().Lookup(flag) != nil {
				next = "name the directory with --" + flag + " " + shellWord(args[0])
				break
			}
		}
	}
	return pipeline.Usagef("%q is not a command or argument of %s", args[0], cmd.CommandPath()).Nextf("%s", next)
}

// directoryFlags are the flags that may name a directory, the likely one first.
func directoryFlags(dir string) []string {
	if isManager(dir) {
		return []string{"manager-dir", "customer-dir"}
	}
	return []string{"customer-dir", "manager-dir"}
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

func grouped(group string, cmds ...*cobra.Command) []*cobra.Command {
	for _, cmd := range cmds {
		cmd.GroupID = group
	}
	return cmds
}

// required declares flags, so that completion suggests them and the help marks them.
// The command itself refuses to run without them, since its error names the choices:
// PreRun takes the mark away before cobra looks, whose error would come first.
func required(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // no such flag: a mistake in this package
		}
		cmd.Flags().Lookup(name).Usage += " (required)"
	}
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		for _, name := range flags {
			delete(cmd.Flags().Lookup(name).Annotations, cobra.BashCompOneRequiredFlag)
		}
	}
}
