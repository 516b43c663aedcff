package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metapipe/metapipe/pkg/actions"
)

// refRule reports whether a call of a command needs the default branch of its repository,
// the manager or an inbox, in Actions. No one has reviewed the Terraform, the registry and the rules of other refs, so
// no command there may use the secrets of the job or read what they protect.
type refRule func(flags *pflag.FlagSet) bool

func onDefaultBranch(*pflag.FlagSet) bool { return true }

// onAnyRef is for what reads the files of checkouts alone, prints help, or runs in the
// customer's workflow.
func onAnyRef(*pflag.FlagSet) bool { return false }

// dryRunOnAnyRef is onDefaultBranch, but for a dry run that reads no real state.
func dryRunOnAnyRef(flags *pflag.FlagSet) bool {
	state, err := flags.GetBool("state")
	dir, dirErr := flags.GetString("customer-dir")
	return err != nil || dirErr != nil || state || dir == ""
}

// doctorRef is onDefaultBranch for the manager; a customer looks at its own repository from any ref.
func doctorRef(flags *pflag.FlagSet) bool {
	role, err := flags.GetString("role")
	return err != nil || role != roleCustomer
}

// initRef is onAnyRef for files, and onDefaultBranch for the settings of a repository.
func initRef(flags *pflag.FlagSet) bool {
	repository, err := flags.GetString("github")
	return err != nil || repository != ""
}

// refRules has every command. This is the one place that says on which refs a command
// works: checkRef refuses the others before the command begins. A command that is
// missing here needs the default branch.
var refRules = map[string]refRule{
	"metapipe":                       onAnyRef,
	"metapipe apply":                 onDefaultBranch,
	"metapipe bootstrap":             onAnyRef,
	"metapipe bootstrap roles":       onDefaultBranch,
	"metapipe bootstrap state":       onDefaultBranch,
	"metapipe customer":              onAnyRef,
	"metapipe customer rename":       onDefaultBranch,
	"metapipe doctor":                doctorRef,
	"metapipe drift":                 onDefaultBranch,
	"metapipe compliance":            onDefaultBranch,
	"metapipe compliance import":     onAnyRef,
	"metapipe drift list":            onDefaultBranch,
	"metapipe drift scan":            onDefaultBranch,
	"metapipe drift summary":         onDefaultBranch,
	"metapipe environment":           onAnyRef,
	"metapipe exit-codes":            onAnyRef,
	"metapipe fetch-vars":            onDefaultBranch,
	"metapipe forward":               onDefaultBranch, // of the inbox
	"metapipe help":                  onAnyRef,
	"metapipe init":                  initRef,
	"metapipe ledger":                onDefaultBranch,
	"metapipe offboard":              onDefaultBranch,
	"metapipe onboard":               onDefaultBranch,
	"metapipe plan":                  dryRunOnAnyRef,
	"metapipe properties":            onAnyRef,
	"metapipe properties schema":     onDefaultBranch,
	"metapipe properties set":        onDefaultBranch,
	"metapipe properties show":       onDefaultBranch,
	"metapipe reference":             onAnyRef,
	"metapipe rehearse":              onAnyRef,
	"metapipe rekey":                 onDefaultBranch,
	"metapipe report":                onDefaultBranch,
	"metapipe schema":                onAnyRef,
	"metapipe spacelift":             onAnyRef,
	"metapipe spacelift remove":      onDefaultBranch,
	"metapipe spacelift sync":        onDefaultBranch,
	"metapipe state":                 onAnyRef,
	"metapipe state accept":          onDefaultBranch,
	"metapipe state list":            onDefaultBranch,
	"metapipe state recover":         onDefaultBranch,
	"metapipe state reindex":         onDefaultBranch,
	"metapipe state restore":         onDefaultBranch,
	"metapipe state show":            onDefaultBranch,
	"metapipe status":                onDefaultBranch,
	"metapipe sweep":                 onDefaultBranch,
	"metapipe sync":                  onDefaultBranch,
	"metapipe trigger":               onAnyRef,
	"metapipe unlock":                onDefaultBranch,
	"metapipe validate":              onAnyRef,
	"metapipe version":               onAnyRef,
	"metapipe __complete":            onAnyRef,
	"metapipe __completeNoDesc":      onAnyRef,
	"metapipe completion":            onAnyRef,
	"metapipe completion bash":       onAnyRef,
	"metapipe completion fish":       onAnyRef,
	"metapipe completion zsh":        onAnyRef,
	"metapipe completion powershell": onAnyRef,
}

// sayRefs puts into the help of each command on which refs it works.
func sayRefs(cmd *cobra.Command) {
	switch rule := refRules[cmd.CommandPath()]; {
	case rule != nil && !rule(cmd.Flags()):
	case cmd.Name() == "forward":
		cmd.Long += "\n\nIt works on the inbox's default branch only."
	case cmd.Name() == "doctor":
		cmd.Long += "\n\nIn Actions it works on the manager's default branch only, but for --role customer."
	case cmd.Flags().Lookup("customer-dir") != nil:
		cmd.Long += "\n\nIn Actions it works on the manager's default branch only, but for a dry run without --state."
	default:
		cmd.Long += "\n\nIn Actions it works on the manager's default branch only."
	}
	for _, below := range cmd.Commands() {
		sayRefs(below)
	}
}

// checkRef refuses a run of another ref than the default branch of its repository, for a
// command that needs that one. It reads nothing of the checkout.
func (a *App) checkRef(cmd *cobra.Command) error {
	if a.getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if rule := refRules[cmd.CommandPath()]; rule != nil && !rule(cmd.Flags()) {
		return nil
	}
	s, err := a.newStep()
	if err != nil {
		return err
	}
	return actions.OnDefaultBranch(s.context)
}
