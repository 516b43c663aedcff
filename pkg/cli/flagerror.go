package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// flagError is the usage error about a flag, in the words of this tool. cmd has read the
// arguments before the flag.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); len(args) > 0 && cmd.HasSubCommands() {
		return noArguments(cmd, args) // the command is wrong, so its flags are unknown
	}
	var (
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
		unknown *pflag.NotExistError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &invalid):
		return invalidValue(cmd, invalid)
	case errors.As(err, &missing):
		return missingValue(cmd, missing.GetFlag())
	case errors.As(err, &unknown):
		written := "--" + unknown.GetSpecifiedName()
		if shorthands := unknown.GetSpecifiedShortnames(); shorthands != "" {
			written = "-" + shorthands
		}
		return unknownFlag(cmd, written)
	case errors.As(err, &syntax):
		return unknownFlag(cmd, syntax.GetSpecifiedFlag())
	}
	return pipeline.Usagef("%s", err.Error()).Nextf("%s", seeHelp(cmd))
}

// oneOfFlags refuses flags that cannot be used together.
func oneOfFlags(cmd *cobra.Command, names ...string) error {
	var used []string
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			used = append(used, "--"+name)
		}
	}
	if len(used) > 1 {
		return pipeline.Usagef("%s cannot be used together", strings.Join(used, " and ")).Nextf("leave one of them out")
	}
	return nil
}

func seeHelp(cmd *cobra.Command) string { return "see `" + cmd.CommandPath() + " --help`" }

// invalidValue says what a flag takes when its value has another form.
func invalidValue(cmd *cobra.Command, invalid *pflag.InvalidValueError) error {
	flag := invalid.GetFlag()
	forms := map[string][2]string{
		"duration": {"a duration", "write a number with a unit: s, m or h, such as 90s, 30m or 1h30m; a day is 24h"},
		"int":      {"a whole number", "write a whole number, such as 4"},
		"int64":    {"a whole number", "write a whole number, such as 4"},
		"bool":     {"true or false", "write --" + flag.Name + " alone, or --" + flag.Name + "=false"},
	}
	form, ok := forms[flag.Value.Type()]
	if !ok {
		return pipeline.Usagef("%s", invalid.Error()).Nextf("%s", seeHelp(cmd))
	}
	return pipeline.Usagef("--%s %s is not %s", flag.Name, pipeline.Quote(invalid.GetValue()), form[0]).Nextf("%s", form[1])
}

// missingValue says what a flag takes that ends the command line.
func missingValue(cmd *cobra.Command, flag *pflag.Flag) error {
	form, _ := pflag.UnquoteUsage(flag)
	return pipeline.Usagef("--%s needs a value", flag.Name).Nextf("write --%s %s; %s", flag.Name, strings.ToUpper(form), seeHelp(cmd))
}

// unknownFlag says which flag was probably meant. written is the argument with its
// hyphens; a value behind it is dropped.
func unknownFlag(cmd *cobra.Command, written string) error {
	written, _, _ = strings.Cut(written, "=")
	name := strings.TrimLeftFunc(written, isDash)
	next := seeHelp(cmd)
	if meant := meantFlag(cmd, name); meant != "" {
		next = meant
	}
	if quoted := pipeline.Quote(written); quoted != `"`+written+`"` {
		written = quoted // long, or with characters that a terminal does not show
	}
	return pipeline.Usagef("unknown flag: %s", written).Nextf("%s", next)
}

// isDash reports whether r begins a flag, or is what a word processor makes of a hyphen.
func isDash(r rune) bool { return unicode.Is(unicode.Pd, r) || r == '\u2212' }

// refuseDashes lets no command below cmd take a flag behind a typographic dash, as in
// text copied from a document, for an argument.
func refuseDashes(cmd *cobra.Command) {
	for _, below := range cmd.Commands() {
		refuseDashes(below)
	}
	valid := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			if r, _ := utf8.DecodeRuneInString(arg); r != '-' && isDash(r) {
				return unknownFlag(cmd, arg)
			}
		}
		if valid == nil {
			return nil // a topic of the help
		}
		return valid(cmd, args)
	}
}

// meantFlag is the remedy for an unknown name: the flag of cmd that is near, else the
// commands that have the flag, else the near flag of a few other commands; "" for none.
func meantFlag(cmd *cobra.Command, name string) string {
	if near := nearestFlag(name, flagsOf(cmd)); near != "" {
		return "did you mean --" + near + "?"
	}
	others := make(map[string][]string)
	addFlags(cmd.Root(), others)
	if commands, ok := others[name]; ok {
		return fmt.Sprintf("%s is a flag of %s", hyphens(name), commandList(commands))
	}
	near := nearestFlag(name, slices.Sorted(maps.Keys(others)))
	if near == "" || len(others[near]) > maxCommands {
		return ""
	}
	return fmt.Sprintf("did you mean %s of %s?", hyphens(near), commandList(others[near]))
}

func hyphens(name string) string {
	if utf8.RuneCountInString(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearestFlag is the flag that name means, by the rule for keys of files. A single
// letter means the only flag that begins with it.
func nearestFlag(name string, flags []string) string {
	if slices.Contains(flags, name) {
		return name // with one hyphen, or three
	}
	if utf8.RuneCountInString(name) > 1 {
		return pipeline.Nearest(name, flags)
	}
	begin := slices.DeleteFunc(slices.Clone(flags), func(flag string) bool { return name == "" || !strings.HasPrefix(flag, strings.ToLower(name)) })
	if len(begin) != 1 {
		return ""
	}
	return begin[0]
}

// flagsOf are the names of the flags that a command takes and its help shows, sorted.
func flagsOf(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// addFlags adds the flags of the visible commands below cmd to found, each with its
// commands in the order of the help.
func addFlags(cmd *cobra.Command, found map[string][]string) {
	if cmd.Hidden {
		return
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Shorthand != "" {
			found[f.Shorthand] = append(found[f.Shorthand], cmd.CommandPath())
		}
	})
	for _, name := range flagsOf(cmd) {
		found[name] = append(found[name], cmd.CommandPath())
	}
	for _, below := range cmd.Commands() {
		addFlags(below, found)
	}
}

// maxCommands is how many commands one message names.
const maxCommands = 3

func commandList(commands []string) string {
	var more string
	if n := len(commands) - maxCommands; n > 0 {
		commands, more = commands[:maxCommands], fmt.Sprintf(" and %d more", n)
	}
	return "`" + strings.Join(commands, "`, `") + "`" + more
}
