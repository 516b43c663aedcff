package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help.
const (
	groupCustomer = "customer"
	groupManager  = "manager"
	groupOperator = "operator"
)

// variablesOfEnvironment are what metapipe itself reads.
var variablesOfEnvironment = []struct{ name, meaning string }{
	{envKey, "32 random bytes in base64 that seal plans and variables: fetch-vars, plan, apply, report, sweep, drift, state show --log, state recover. Separate several " +
		"keys by whitespace or commas; the first one seals"},
	{envOwnToken, "token of the run's own repository"},
	{envManagerToken, "token of a customer's run for the manager's repository: trigger"},
	{envSourceToken, "token of the manager for the customers' repositories: fetch-vars, report, sweep, drift, ledger --verify"},
	{envAppID, "id of a GitHub App in place of the last two tokens"},
	{envAppKey, "its private key"},
	{envManagerOwner, "owner of the manager's repository: trigger"},
	{envManagerName, "name of the manager's repository: trigger"},
	{envManagerInbox, "owner/name of the inbox that forwards requests to the manager, where there is one: trigger"},
	{envStore, "directory of states and store in place of the one in metapipe.yml, as --store"},
	{envBucket, "bucket of states and store where metapipe.yml names neither directory nor bucket"},
	{envTool, "path of the terraform or tofu binary (default: the one in PATH if its version fits, else it is downloaded)"},
	{"NO_COLOR", "no colors on a terminal"},
	{"AWS_…", "region, profile, keys and endpoints of S3, KMS and STS, as the AWS SDK reads them"},
}

// newTopics are pages of the help that are no commands.
func newTopics() []*cobra.Command {
	var env, codes strings.Builder
	for _, v := range variablesOfEnvironment {
		fmt.Fprintf(&env, "  %-25s %s\n", v.name, v.meaning)
	}
	for _, e := range ExitCodes {
		fmt.Fprintf(&codes, "  %3d  %s\n", e.Code, e.Meaning)
	}
	return []*cobra.Command{
		{
			Use:   "environment",
			Short: "Environment variables that metapipe reads",
			Long:  "metapipe reads these environment variables. The help of each command says which it needs.\n\n" + strings.TrimRight(env.String(), "\n"),
		},
		{Use: "exit-codes", Short: "Exit codes of every command", Long: "The exit codes are the same for every command.\n\n" + strings.TrimRight(codes.String(), "\n")},
	}
}
