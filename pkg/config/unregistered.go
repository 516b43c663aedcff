package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// DefaultFor is Default for a manager checkout without metapipe.yml: the
// environments that a customer's file declares, in its order, with what needs
// approval last. That is production (or prod), else the last one. Names that
// cannot be environments are left out; when none is left it is Default.
func DefaultFor(declared []string) pipeline.Manager {
	m := Default()
	var names []pipeline.Environment
	for _, d := range declared {
		env, err := pipeline.ParseEnvironment(d)
		if err == nil && !slices.Contains(reservedEnvironments, d) && !slices.Contains(names, env) && len(names) < maxEnvironments {
			names = append(names, env)
		}
	}
	if len(names) == 0 {
		return m
	}
	gate := slices.IndexFunc(names, func(e pipeline.Environment) bool { return e == "production" || e == "prod" })
	if gate < 0 {
		gate = len(names) - 1
	}
	m.Environments = nil
	for i, name := range names {
		if i != gate {
			m.Environments = append(m.Environments, pipeline.EnvironmentRule{Name: name})
		}
	}
	m.Environments = append(m.Environments, pipeline.EnvironmentRule{Name: names[gate], Gated: true})
	return m
}

// Unregistered is a customer that has no file in customers/, for plans on a
// laptop and for rehearsals: it may use every environment and has the default
// path. Its root is terraform/ of the manager checkout, or the top of it when
// only that holds code. Label, for example the name of the customer's directory,
// is made into a valid customer name.
func Unregistered(m pipeline.Manager, managerDir, label string) pipeline.Customer {
	name := customerName(label)
	c := pipeline.Customer{
		Name:       name,
		Repository: pipeline.Slug{Owner: "local", Name: string(name)},
		Path:       DefaultPath,
		Root:       DefaultRoot,
		Manager:    m,
	}
	if !HoldsCode(filepath.Join(managerDir, DefaultRoot)) && HoldsCode(managerDir) {
		c.Root = "."
	}
	return c
}

// codeSuffixes end the names of files that Terraform and OpenTofu read as code.
var codeSuffixes = []string{".tf", ".tf.json", ".tofu", ".tofu.json"}

// HoldsCode reports whether a directory itself holds Terraform code. One that
// cannot be read holds none.
func HoldsCode(dir string) bool { return holdsCode(dir, codeSuffixes) }

// HoldsCodeOf is HoldsCode for the tool of a stack.
func HoldsCodeOf(tool, dir string) bool {
	if tool == ansibleTool {
		return holdsCode(dir, []string{playbookFile})
	}
	if isKubernetes(tool) {
		return holdsCode(filepath.Join(dir, manifestsDir), []string{".yaml", ".yml"})
	}
	if tool == pulumiTool {
		return holdsCode(dir, []string{projectFile})
	}
	if tool == pipeline.CloudFormationTool {
		return holdsCode(dir, templateFiles)
	}
	return HoldsCode(dir)
}

func holdsCode(dir string, suffixes []string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return !e.IsDir() && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) })
	})
}
