package cli

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// neededVariables are the environment variables with secrets that metapipe.yml and sync.yml name.
func (v *validation) neededVariables() (needed []workflow.NeededVariable) {
	for i, stack := range v.config.Manager.Stacks {
		secrets := stack.Tool.SecretVariables()
		for _, key := range slices.Sorted(maps.Keys(secrets)) {
			needed = append(needed, workflow.NeededVariable{Name: secrets[key], Of: "stack " + string(stack.Name), Commands: []string{"plan", "apply", "drift scan"},
				Where: config.Locate(v.o.managerDir, "stacks", strconv.Itoa(i), stack.Tool.Name, key)})
		}
	}
	if _, err := os.Lstat(filepath.Join(v.o.managerDir, sourcesync.File)); err != nil {
		return needed
	}
	c, problems := config.LoadSync(v.o.managerDir)
	if problems.Err() != nil {
		return needed // fleetFiles says so
	}
	for _, source := range c.Sources {
		for _, name := range []string{source.UserEnv, source.PasswordEnv, source.TokenEnv} {
			if name != "" {
				needed = append(needed, workflow.NeededVariable{Name: name, Of: "source " + source.Name, Commands: []string{"sync"}, Where: source.Where})
			}
		}
	}
	return needed
}
