package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The environment variables that metapipe itself reads. The secrets have the
// names of the setup guide.
const (
	envOwnToken     = "GITHUB_TOKEN"       //nolint:gosec // a name; the run's own repository
	envManagerToken = "MANAGER_REPO_PAT"   //nolint:gosec // a name; customer's run → manager
	envSourceToken  = "SOURCE_REPOS_PAT"   //nolint:gosec // a name; manager's run → customers
	envManagerOwner = "MANAGER_REPO_OWNER" // variables of the customer's repo
	envManagerName  = "MANAGER_REPO_NAME"
	envManagerInbox = "MANAGER_INBOX"
	envKey          = "METAPIPE_KEY"    // seals plans and variables
	envStore        = "METAPIPE_STORE"  // instead of metapipe.yml's state
	envBucket       = "TF_STATE_BUCKET" // where metapipe.yml names neither directory nor bucket
	envTool         = "METAPIPE_TOOL"   // path of the binary that plans
)

// directories are the directories that the manager's commands share as flags.
type directories struct {
	managerDir, store, runDir string
	only                      string // the customer that the command works for; empty: all
	// tolerant: the broken file of a customer is a failure of that customer, and the command
	// goes on with the others.
	tolerant bool
	// mayBeFirst: the command may run before anything was deployed, and makes the store.
	// For every other command, a store that is not there would look like a manager that
	// never deployed anything.
	mayBeFirst bool
	// tokens are the variables with tokens of GitHub that the command cannot do without;
	// actionsTokens those that it cannot do without in Actions.
	tokens, actionsTokens []string
}

func (p *directories) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&p.store, "store", "", "`DIR` of state and store instead of the one in metapipe.yml (env METAPIPE_STORE)")
}

func (p *directories) runFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.runDir, "work-dir", "", "`DIR` for workspaces, which hold secrets (default: a new one in RUNNER_TEMP or the system's temp, removed at the end)")
}

// within bounds a duration flag.
func within(name string, d, least, most time.Duration) error {
	if d < least || d > most {
		return pipeline.Usagef("--%s %s: want a duration between %s and %s", name, d, least, most)
	}
	return nil
}
