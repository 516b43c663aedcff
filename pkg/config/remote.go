package config

import "github.com/metapipe/metapipe/pkg/pipeline"

// ParseManager reads metapipe.yml where there is no checkout of the manager, as
// in a customer's run. What can only be checked against other files of the
// manager is not checked.
func ParseManager(raw []byte) (pipeline.Manager, pipeline.Problems) {
	node, problems := parseFile(ManagerFile, raw, managerExample)
	if node == nil {
		return Default(), problems
	}
	d := &decoder{file: ManagerFile}
	m := d.manager(node)
	return m, append(problems, d.problems...)
}
