package module

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
)

// RootVariables are the variables that a customer's file would set in a root module
// by their names; true: the provider gives no value, neither as a default nor in a
// tfvars file that the tool loads by itself. dir is the manager directory, root the
// module's slash path in it, tool "terraform" or "tofu". What metapipe feeds itself
// is left out, since no file sets it.
func RootVariables(dir, root, tool string) (map[string]bool, error) {
	at := filepath.Join(dir, filepath.FromSlash(root))
	module, err := ReadRoot(at, tool)
	if err != nil {
		return nil, err
	}
	given, known, err := providedValues(at)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for name, variable := range module.Variables {
		if !OwnVariable(name) {
			found[name] = variable.Required && known && !given[name]
		}
	}
	return found, nil
}

// providedValues are the variables that the tfvars files of a root module set. known
// is false when one of the files cannot be read: then each variable may be in it.
func providedValues(dir string) (given map[string]bool, known bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, err
	}
	given, known = map[string]bool{}, true
	for _, entry := range entries {
		if !loadsValues(entry.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			known = false
			continue
		}
		attributes, wrong := readValues(entry.Name(), content)
		known = known && !wrong.HasErrors()
		for name := range attributes {
			given[name] = true
		}
	}
	return given, known, nil
}

// loadsValues reports a file that Terraform and OpenTofu read variables from without
// an option that names it.
func loadsValues(name string) bool {
	return name == "terraform.tfvars" || name == "terraform.tfvars.json" ||
		strings.HasSuffix(name, ".auto.tfvars") || strings.HasSuffix(name, ".auto.tfvars.json")
}

func readValues(name string, content []byte) (hcl.Attributes, hcl.Diagnostics) {
	parser := hclparse.NewParser()
	parse := parser.ParseHCL
	if strings.HasSuffix(name, ".json") {
		parse = parser.ParseJSON
	}
	file, wrong := parse(content, name)
	if file == nil || file.Body == nil {
		return nil, wrong
	}
	attributes, more := file.Body.JustAttributes()
	return attributes, append(wrong, more...)
}
