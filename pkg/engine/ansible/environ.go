package ansible

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// setEnvironment makes the environment and the arguments of the tool. No ANSIBLE_* of this
// process gets through: each is a setting that could change what a plan does.
func (w *workspace) setEnvironment() error {
	allowed, err := w.engine.options.Environ.Allowed(w.job.Tool())
	if err != nil {
		return err
	}
	rule := w.job.Tool().Ansible
	for _, pair := range allowed {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "ANSIBLE_") && !strings.HasPrefix(name, "PYTHON") && name != rule.SSHKey && name != rule.VaultPassword && name != "HOME" {
			w.env = append(w.env, pair)
		}
	}
	collections := filepath.Join(w.root, collectionsDir)
	w.env = append(w.env,
		"HOME="+filepath.Join(w.dir, "home"),
		"LC_ALL=C.UTF-8",
		"ANSIBLE_CONFIG="+filepath.Join(w.private, "ansible.cfg"),
		"ANSIBLE_STDOUT_CALLBACK=metapipe",
		"ANSIBLE_CALLBACK_PLUGINS="+w.private,
		"ANSIBLE_COLLECTIONS_PATH="+collections,
		"ANSIBLE_COLLECTIONS_PATHS="+collections, // its name before 2.19
		"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=False",
		"ANSIBLE_ROLES_PATH="+filepath.Join(w.root, rolesDir),
		"ANSIBLE_INVENTORY_ENABLED=yaml,ini", // no programs, no plugins
		"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=True",
		"ANSIBLE_INVENTORY_UNPARSED_FAILED=True",
		"ANSIBLE_LOCAL_TEMP="+filepath.Join(w.private, "tmp"),
		"ANSIBLE_HOST_KEY_CHECKING=True",
		"ANSIBLE_RETRY_FILES_ENABLED=False",
		"ANSIBLE_ENABLE_TASK_DEBUGGER=False",
		"ANSIBLE_CACHE_PLUGIN=memory",
		"ANSIBLE_NOCOLOR=True",
		"ANSIBLE_DEPRECATION_WARNINGS=False",
	)
	w.args = []string{"-i", filepath.Join(w.private, inventoryName)}
	if !isFile(filepath.Join(w.private, inventoryName)) {
		w.args[1] = w.inventoryPath()
	}
	w.args = append(w.args, "-e", "@"+filepath.Join(w.private, "variables.yml"), "-e", "@"+filepath.Join(w.private, "forced.json"))
	if rule.VaultPassword != "" {
		w.args = append(w.args, "--vault-password-file", filepath.Join(w.private, "vault-password"))
	}
	return nil
}

// writeCredentials writes the key and the password that the stack names, and what no
// inventory and no playbook may change: a variable given so outranks all others.
func (w *workspace) writeCredentials() error {
	rule := w.job.Tool().Ansible
	forced := map[string]any{
		"ansible_host_key_checking": true, "ansible_ssh_host_key_checking": true, "ansible_paramiko_host_key_checking": true,
		"ansible_ssh_common_args": "", "ansible_ssh_extra_args": "", "ansible_sftp_extra_args": "", "ansible_scp_extra_args": "", "ansible_ssh_executable": "ssh",
	}
	known, err := w.knownHosts()
	if err != nil {
		return err
	}
	forced["ansible_ssh_args"] = fmt.Sprintf("-o StrictHostKeyChecking=yes -o UserKnownHostsFile='\"%s\"' -o GlobalKnownHostsFile=/dev/null -o ControlMaster=no -o BatchMode=yes", known)
	for file, variable := range map[string]string{"ssh-key": rule.SSHKey, "vault-password": rule.VaultPassword} {
		if variable == "" {
			continue
		}
		value := w.engine.options.Environ.Get(variable)
		if value == "" || pipeline.DeniedToTool(variable) {
			return pipeline.Usagef("the stack %s takes its %s from the environment variable %s, which is not set", w.job.Stack, strings.ReplaceAll(file, "-", " "), variable).
				Nextf("give the jobs of the stack the secret under this name, or correct stacks in metapipe.yml")
		}
		w.secrets[strings.TrimSpace(value)] = struct{}{}
		if err := w.write(file, []byte(strings.TrimRight(value, "\r\n")+"\n")); err != nil {
			return err
		}
	}
	w.refilter()
	if rule.SSHKey != "" {
		key := filepath.Join(w.private, "ssh-key")
		forced["ansible_ssh_private_key_file"], forced["ansible_private_key_file"] = key, key
	}
	content, err := json.Marshal(forced)
	if err != nil {
		return w.failed("write the settings of connections", err)
	}
	return w.write("forced.json", content)
}

// knownHosts is the file of the host keys that connections accept: of the root of the stack,
// and of an output of a needed stack. There is always one, so that none of the machine counts.
func (w *workspace) knownHosts() (string, error) {
	var all []byte
	content, err := os.ReadFile(filepath.Join(w.root, knownHostsFile))
	if err != nil && !os.IsNotExist(err) {
		return "", w.failed("read "+w.inRoot(knownHostsFile), err)
	}
	all = append(all, content...)
	if o, found := w.neededOutput(knownHostsOutput); found {
		var text string
		if err := json.Unmarshal(o, &text); err != nil {
			return "", w.unusableOutput(knownHostsOutput, "it is no text")
		}
		all = slices.Concat(all, []byte("\n"), []byte(text), []byte("\n"))
	}
	return filepath.Join(w.private, knownHostsFile), w.write(knownHostsFile, all)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
