package terraform

import "path/filepath"

// RootVariables are the variables that a customer's file would set in a root module
// by their names; true: the variable has no default. dir is the manager directory,
// root the module's slash path in it, tool "terraform" or "tofu". What metapipe
// feeds itself is left out, since no file sets it.
func RootVariables(dir, root, tool string) (map[string]bool, error) {
	module, err := readRoot(filepath.Join(dir, filepath.FromSlash(root)), tool)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for name, variable := range module.variables {
		if !ownVariable(name) {
			found[name] = variable.Required
		}
	}
	return found, nil
}
