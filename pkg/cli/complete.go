package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metapipe/metapipe/pkg/config"
)

// choices are the flags that take one of a few words.
var choices = map[string][]string{
	"role":    {roleManager, roleCustomer},
	"approve": {"ask\task at the terminal", "yes", "no"},
	"mode":    {"apply", "plan", "dry-run"}, // mode destroy is typed
	"fail-on": {"drift\tdrift or errors", "error\terrors alone", "none"},
}

// completeFlags lets a shell complete the values of flags, of all commands below cmd.
// Names come from the manager checkout of --manager-dir, or the working directory.
func (a *App) completeFlags(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		complete := a.completion(f.Name)
		if complete == nil {
			return
		}
		if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil && failed == nil {
			failed = err
		}
	})
	for _, below := range cmd.Commands() {
		if err := a.completeFlags(below); err != nil {
			return err
		}
	}
	return failed
}

func (a *App) completion(flag string) cobra.CompletionFunc {
	if words, ok := choices[flag]; ok {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	var names func(config.Config) []string
	switch flag {
	case "customer", "offboard":
		names = func(c config.Config) (names []string) {
			for _, customer := range c.Customers {
				names = append(names, string(customer.Name)+"\t"+customer.Repository.String())
			}
			return names
		}
	case "environment", "applying":
		names = func(c config.Config) (names []string) {
			for _, env := range environmentsOf(c.Manager) {
				names = append(names, string(env))
			}
			return names
		}
	case "stack":
		names = func(c config.Config) (names []string) {
			for _, stack := range c.Manager.Stacks {
				names = append(names, string(stack.Name)+"\t"+stack.Root)
			}
			return names
		}
	default:
		return nil
	}
	return a.completeNames(names)
}

// completeOne completes the first argument of a command like a flag.
func (a *App) completeOne(flag string) cobra.CompletionFunc {
	complete := a.completion(flag)
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, begun)
	}
}

// completeNames completes names of the manager checkout.
func (a *App) completeNames(names func(config.Config) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		named := ""
		if f := cmd.Flags().Lookup("manager-dir"); f != nil {
			named = f.Value.String()
		}
		dir, err := a.managerDir(named)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, problems := config.Load(dir)
		if config.IsMissing(problems) { // no manager: its defaults are no one's names
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(c), cobra.ShellCompDirectiveNoFileComp
	}
}
