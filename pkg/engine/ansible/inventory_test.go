package ansible

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestInventoryOfOutputs: an inventory that another stack puts out says which hosts there are,
// and nothing of how this machine connects to them.
func TestInventoryOfOutputs(t *testing.T) {
	t.Parallel()
	for inventory, fits := range map[string]bool{
		`{"web": {"hosts": {"web1": null, "web-2.example.com": {"ansible_host": "10.0.0.1", "ansible_port": 22, "ansible_user": "deploy", "size": "{{ x }}"}}}}`: true,
		`{"all": {"children": {"web": {"vars": {"size": [1]}, "hosts": null}}}}`:                                                                                 true,
		`{"web": null, "db": {}}`: true,
		`{"web": {"hosts": {"web1": {"ansible_host": "2001:db8::1"}}}}`:             true,
		`{"web": {"hosts": {"web1": {"ansible_host": "-oProxyCommand=x"}}}}`:        false,
		`{"web": {"hosts": {"web1": {"ansible_host": "{{ x }}"}}}}`:                 false,
		`{"web": {"hosts": {"web1": {"ansible_user": "-l root"}}}}`:                 false,
		`{"web": {"hosts": {"web1": {"ansible_port": "22 -o x"}}}}`:                 false,
		`{"web": {"hosts": {"web1": {"ansible_port": {}}}}}`:                        false,
		`{"web": {"hosts": {"web1": {"ansible_connection": "local"}}}}`:             false,
		`{"web": {"vars": {"ansible_python_interpreter": "/tmp/x"}}}`:               false,
		`{"web": {"vars": {"ansible_become": true}}}`:                               false,
		`{"web": {"hosts": {"web[1:100000]": null}}}`:                               false,
		`{"web": {"hosts": {"{{ x }}": null}}}`:                                     false,
		`{"web": {"hosts": ["web1"]}}`:                                              false,
		`{"web": {"plugin": "x"}}`:                                                  false,
		`{"web": {"hosts": {"web1": "x"}}}`:                                         false,
		`{"{{ x }}": null}`:                                                         false,
		`["web"]`:                                                                   false,
		`"web1,"`:                                                                   false,
		strings.Repeat(`{"a": {"children": `, 20) + `{}` + strings.Repeat(`}}`, 20): false,
		`{"web": {"vars": {"x": {"__ansible_vault": "x"}}}}`:                        false,
	} {
		w := &workspace{}
		content, err := w.outputInventory(json.RawMessage(inventory))
		if (err == nil) != fits || fits && len(content) == 0 {
			t.Errorf("%s: %s %v", inventory, content, err)
		}
	}
}

// TestChosenInventory: a customer chooses among the inventories laid down for them.
func TestChosenInventory(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	for chosen, fits := range map[string]bool{
		"inventory/acme/blue.yml": true, "inventory/acme/../acme/blue.yml": true,
		"inventory/other/blue.yml": false, "inventory/acme/../other/blue.yml": false, "../../etc/hosts": false, "/etc/hosts": false, "inventory.yml": false,
		"inventory/acme/none.yml": false, "inventory/acme/link.yml": false, "inventory/acme": false, "[1]": false, "inventory/acme/secret.yml": false,
	} {
		t.Run(chosen, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demoPlaybook)
			root := filepath.Join(b.Job.ManagerDir, "hosts")
			terraformtest.WriteFile(t, filepath.Join(root, "inventory", "acme", "blue.yml"), inventory)
			terraformtest.WriteFile(t, filepath.Join(root, "inventory", "acme", "secret.yml"), "$ANSIBLE_VAULT;1.1;AES256\n6162\n")
			terraformtest.WriteFile(t, filepath.Join(root, "inventory", "other", "blue.yml"), inventory)
			if err := os.Symlink("../other/blue.yml", filepath.Join(root, "inventory", "acme", "link.yml")); err != nil {
				t.Fatal(err)
			}
			variables := "name: demo\nregion: eu\nansible_inventory_path: " + chosen + "\n"
			b.Job.Variables = terraformtest.ParseDocument(t, variables)
			// Only what comes before the tool is of interest.
			e := b.Engine.(*Engine)
			tool, err := e.find(t.Context(), b.Job.Tool())
			if err != nil {
				t.Fatal(err)
			}
			w, err := e.open(t.Context(), b.Job, tool)
			if (err == nil) != fits {
				t.Fatalf("got %v", err)
			}
			var failed *pipeline.FailedError
			if !fits && errors.As(err, &failed) && (len(failed.Diagnostics) != 1 || failed.Diagnostics[0].Source.Line != 3) {
				t.Errorf("got %+v", failed)
			}
			if fits && w.evidence[evidenceInventory] != w.job.Salt.Sum([]byte(inventory)) {
				t.Errorf("the inventory is another one: %v", w.evidence)
			}
		})
	}
}
