package config

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// ansibleTool is the tool whose stacks have a playbook in the place of a root module.
const ansibleTool = "ansible"

// playbookFile is the playbook of such a stack, in its root.
const playbookFile = "site.yml"

// pulumiTool is the tool whose stacks have a project in the place of a root module.
const pulumiTool = "pulumi"

// projectFile is the project of such a stack, in its root.
const projectFile = "Pulumi.yaml"

// ansible reads what only a stack of Ansible has; item is the stack.
func (d *decoder) ansible(v, item value, to *pipeline.AnsibleRule) {
	if tool := item.Get("tool"); tool == nil || tool.Text != ansibleTool {
		d.add(v.at, RuleValue, v.name+" is set, and the tool of the stack is not "+ansibleTool, "remove it, or write tool: "+ansibleTool)
		return
	}
	d.read(v, fields{
		"ssh_key":        func(v value) { d.secretVariable(v, &to.SSHKey) },
		"vault_password": func(v value) { d.secretVariable(v, &to.VaultPassword) },
		"runs_in_check": func(v value) {
			d.list(v, func(item value) {
				if name, ok := d.text(item); ok {
					to.RunsInCheck = append(to.RunsInCheck, name)
				}
			})
		},
	})
}

// secretVariable reads the name of an environment variable that holds a secret.
func (d *decoder) secretVariable(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if !variableName().MatchString(s) || pipeline.DeniedToTool(s) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not the name of a variable that the tool may have", v.name, strictyaml.Short(s)),
			`write the name of an environment variable that the jobs have, such as "HOSTS_SSH_KEY": the secret itself never stands here`)
		return
	}
	*to = s
}
