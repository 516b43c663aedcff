package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

const (
	// inventoryVariable is the key of variables.yml with which a customer chooses an inventory.
	inventoryVariable = "ansible_inventory_path"
	// The outputs of needed stacks that an inventory and host keys come from.
	inventoryOutput  = "ansible_inventory"
	knownHostsOutput = "ansible_known_hosts"
	// inventoryName is an inventory that metapipe writes itself, in the private directory.
	inventoryName = "inventory.yml"
)

// inventoryPath is the inventory in the root; empty where there is none.
func (w *workspace) inventoryPath() string {
	for _, name := range []string{
		filepath.Join(inventoryDir, string(w.job.Customer.Name), string(w.job.Environment)+".yml"),
		inventoryFile,
	} {
		if file := filepath.Join(w.root, name); isFile(file) {
			return file
		}
	}
	return ""
}

// writeInventory finds the inventory of the target: the one that the customer chooses, that
// of an output of a needed stack, or that of the root of the stack.
func (w *workspace) writeInventory() error {
	var content []byte
	var err error
	if chosen, given := w.config.Values[inventoryVariable]; given {
		content, err = w.chosenInventory(chosen)
	} else if output, found := w.neededOutput(inventoryOutput); found {
		content, err = w.outputInventory(output)
	} else if file := w.inventoryPath(); file != "" {
		if content, err = os.ReadFile(file); err != nil {
			err = w.failed("read the inventory", err)
		}
		w.evidence[evidenceInventory] = w.job.Salt.Sum(content)
		return errors2(err, w.plainInventory(w.relative(file), content))
	} else {
		return pipeline.Usagef("the stack %s has no inventory for %s", w.job.Stack, w.job.Target()).
			Nextf("write %s or %s, or let a stack that it needs put out %q", w.inRoot(inventoryFile),
				w.inRoot(filepath.ToSlash(filepath.Join(inventoryDir, string(w.job.Customer.Name), string(w.job.Environment)+".yml"))), inventoryOutput)
	}
	if err != nil {
		return err
	}
	w.evidence[evidenceInventory] = w.job.Salt.Sum(content)
	return w.write(inventoryName, content)
}

func errors2(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// plainInventory refuses an inventory that is encrypted as a whole: what is in it would be
// read before metapipe knows that it is secret.
func (w *workspace) plainInventory(name string, content []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(content), []byte("$ANSIBLE_VAULT")) {
		return nil
	}
	return pipeline.Usagef("the inventory %s is encrypted as a whole, so that its values could be shown", name).
		Nextf("encrypt the secret values alone (`ansible-vault encrypt_string`), or put them into group_vars")
}

// chosenInventory reads the inventory that a customer names. They choose among those that
// the provider has laid below inventory/CUSTOMER in the root.
func (w *workspace) chosenInventory(value json.RawMessage) ([]byte, error) {
	home := filepath.Join(inventoryDir, string(w.job.Customer.Name))
	at, exact := w.job.Variables.Locate("environments", string(w.job.Environment), inventoryVariable)
	if !exact {
		at, _ = w.job.Variables.Locate(inventoryVariable)
	}
	refuse := func(why string) error {
		d := pipeline.Diagnostic{Summary: inventoryVariable + " " + why, Source: at, Exact: true,
			Remedy: fmt.Sprintf("name a file that your provider has laid below %s/, or remove %s", filepath.ToSlash(home), inventoryVariable)}
		return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: %s (%s)", w.job.Target(), d.Summary, at), Next: d.Remedy, Diagnostics: []pipeline.Diagnostic{d}}
	}
	var name string
	if err := json.Unmarshal(value, &name); err != nil {
		return nil, refuse("is no text")
	}
	name = filepath.Clean(filepath.FromSlash(name))
	if !filepath.IsLocal(name) || !strings.HasPrefix(name, home+string(filepath.Separator)) {
		return nil, refuse("leads out of the inventories of this customer")
	}
	file, err := filepath.EvalSymlinks(filepath.Join(w.root, name))
	dir, dirErr := filepath.EvalSymlinks(filepath.Join(w.root, home))
	if err != nil || dirErr != nil {
		return nil, refuse("names a file that does not exist")
	}
	if rel, err := filepath.Rel(dir, file); err != nil || !filepath.IsLocal(rel) || !isFile(file) {
		return nil, refuse("names no file of this customer")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, w.failed("read the inventory", err)
	}
	return content, w.plainInventory(filepath.ToSlash(name), content)
}

// neededOutput is the value of an output of one of the needed stacks.
func (w *workspace) neededOutput(name string) (json.RawMessage, bool) {
	for _, needed := range w.job.Needed {
		for _, o := range needed.Values {
			if o.Name == name && o.Known() {
				return o.Value, true
			}
		}
	}
	return nil, false
}

func (w *workspace) unusableOutput(name, why string) error {
	return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: the output %s of a stack that it needs cannot be used: %s", w.job.Target(), name, why),
		Next: pipeline.ProviderNext, Operator: "correct the output: docs/ANSIBLE.md of metapipe says what it may hold"}
}

// outputInventory checks an inventory that another stack puts out. What customers write gets
// into such outputs: so it is data, and it says which hosts there are and nothing of how the
// control node connects to them beside address, port and user.
func (w *workspace) outputInventory(output json.RawMessage) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.UseNumber()
	var groups map[string]any
	if err := decoder.Decode(&groups); err != nil {
		return nil, w.unusableOutput(inventoryOutput, "it is no object of groups")
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if why := checkGroup(name, groups[name], 0); why != "" {
			return nil, w.unusableOutput(inventoryOutput, why)
		}
	}
	content, err := unsafeYAML(output)
	if err != nil {
		return nil, w.unusableOutput(inventoryOutput, err.Error())
	}
	return append(content, '\n'), nil
}

var (
	inventoryWord = text.Pattern(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$`)
	variableWord  = text.Pattern(`^[A-Za-z_][A-Za-z0-9_]{0,200}$`)
	hostAddress   = text.Pattern(`^[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]-]{0,252}$`)
	loginName     = text.Pattern(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,100}$`)
)

// maxGroups bounds the nesting of groups.
const maxGroups = 10

// checkGroup says what is wrong with a group; empty: nothing.
func checkGroup(name string, value any, depth int) string {
	group, isObject := value.(map[string]any)
	switch {
	case !inventoryWord().MatchString(name):
		return fmt.Sprintf("%s is no name of a group", pipeline.Quote(name))
	case value == nil:
		return ""
	case !isObject || depth > maxGroups:
		return fmt.Sprintf("the group %s is no object with hosts, vars and children", name)
	}
	for _, key := range slices.Sorted(maps.Keys(group)) {
		members, isObject := group[key].(map[string]any)
		if !isObject && group[key] != nil {
			return fmt.Sprintf("%s of the group %s is no object", pipeline.Quote(key), name)
		}
		for _, member := range slices.Sorted(maps.Keys(members)) {
			why := fmt.Sprintf("the group %s has the key %s", name, pipeline.Quote(key))
			switch key {
			case "children":
				why = checkGroup(member, members[member], depth+1)
			case "hosts":
				why = checkHost(member, members[member])
			case "vars":
				why = checkVariable(member, members[member])
			}
			if why != "" {
				return why
			}
		}
	}
	return ""
}

func checkHost(name string, value any) string {
	if !inventoryWord().MatchString(name) {
		return fmt.Sprintf("%s is no name of a host", pipeline.Quote(name))
	}
	variables, isObject := value.(map[string]any)
	if !isObject && value != nil {
		return fmt.Sprintf("the host %s is no object of variables", name)
	}
	for _, key := range slices.Sorted(maps.Keys(variables)) {
		if why := checkVariable(key, variables[key]); why != "" {
			return why
		}
	}
	return ""
}

// checkVariable says what is wrong with a variable of an inventory from outside.
func checkVariable(name string, value any) string {
	shown, _ := value.(string)
	switch {
	case !variableWord().MatchString(name):
		return fmt.Sprintf("%s is no name of a variable", pipeline.Quote(name))
	case !strings.HasPrefix(name, "ansible_"):
		return ""
	case name == "ansible_host" && hostAddress().MatchString(shown), name == "ansible_user" && loginName().MatchString(shown):
		return ""
	case name == "ansible_port":
		if port, err := fmt.Sprint(value), error(nil); err == nil && strings.Trim(port, "0123456789") == "" && len(port) > 0 && len(port) < 6 {
			return ""
		}
	}
	return fmt.Sprintf("the variable %s may not be set here, or not to this value: only ansible_host, ansible_port and ansible_user may, to an address, a number and a name", name)
}
