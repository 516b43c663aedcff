package rehearsal

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"gopkg.in/yaml.v3"
)

// readRegistry reads metapipe.yml and customers/. A missing metapipe.yml is no
// mistake here: the rehearsal writes one into its own tree.
func readRegistry(dir string) (c config.Config, missing bool, err error) {
	c, problems := config.Load(dir)
	if config.IsMissing(problems) {
		return c, true, nil
	}
	if err := problems.Err(); err != nil {
		return c, false, pipeline.Usagef("the configuration of the manager in %s has problems", dir).Because(err).
			Nextf("`metapipe validate` shows them one by one")
	}
	return c, false, nil
}

// choose finds the registered customer of a checkout, as all commands do. found is
// false when none is registered at all.
func choose(c config.Config, checkout config.Checkout) (m config.Match, err error) {
	m, err = c.Match(checkout)
	if err == nil && !m.Found && len(c.Customers) > 0 {
		err = pipeline.Usagef("the manager has several customers, and none of them is clearly the one of %s", checkout.Dir).
			Nextf("%s", c.Advice())
	}
	return m, err
}

// defaultManager is a metapipe.yml for a manager that has none, with the
// environments of the given versions of variables.yml: one that the proposal
// removes is still deployed today.
func defaultManager(versions ...[]byte) hub.File {
	var names []string
	for _, v := range versions {
		names = append(names, declared(v)...)
	}
	var b strings.Builder
	b.WriteString("# written by the rehearsal\ncustomer_variables: [\"*\"]\nenvironments:\n")
	for _, rule := range config.DefaultFor(names).Environments {
		fmt.Fprintf(&b, "  - name: %s\n", quoted(string(rule.Name)))
		if rule.Gated {
			b.WriteString("    gated: true\n")
		}
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		if _, err := exec.LookPath("tofu"); err == nil {
			b.WriteString("tool:\n  name: tofu\n")
		}
	}
	return hub.File{Content: []byte(b.String())}
}

// quoted keeps names such as "on" and "1" strings.
func quoted(name string) string { return `"` + name + `"` }

// declared are the names under `environments`, in the order of the file.
func declared(variables []byte) []string {
	var file struct {
		Environments yaml.Node `yaml:"environments"`
	}
	if err := yaml.Unmarshal(variables, &file); err != nil || file.Environments.Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for i := 0; i < len(file.Environments.Content); i += 2 {
		out = append(out, file.Environments.Content[i].Value)
	}
	return out
}

// unregistered is a customer for a directory that no file in customers/ is
// about.
func unregistered(m pipeline.Manager, managerDir, dir string, remote pipeline.Slug) pipeline.Customer {
	c := config.Unregistered(m, managerDir, filepath.Base(dir))
	c.Repository.Owner = "customer"
	if remote != (pipeline.Slug{}) {
		c.Repository = remote
	}
	return c
}

// customerFile is the file in customers/ for an unregistered one.
func customerFile(c pipeline.Customer, id int64) (name string, f hub.File) {
	text := fmt.Sprintf("# written by the rehearsal\nrepository: %s\nrepository_id: %d\n", c.Repository, id)
	if len(c.Manager.Stacks) == 0 && c.Root != config.DefaultRoot {
		text += "root: \"" + c.Root + "\"\n"
	}
	return config.CustomersDir + "/" + string(c.Name) + ".yml", hub.File{Content: []byte(text)}
}

// deployBranch picks a default branch for the customer's repository from which
// as many environments as possible may be applied.
func deployBranch(c pipeline.Customer) string {
	candidates := []string{"main", "master"}
	for _, rule := range c.Manager.Environments {
		for _, b := range rule.Branches {
			if !strings.ContainsAny(b, `*?[\`) {
				candidates = append(candidates, b)
			}
		}
	}
	best, most := "main", -1
	for _, branch := range candidates {
		n := 0
		for _, rule := range c.Manager.Environments {
			if rule.Admits(branch, branch) {
				n++
			}
		}
		if n > most {
			best, most = branch, n
		}
	}
	return best
}
