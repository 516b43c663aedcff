// Package ansibletest finds Ansible for tests.
package ansibletest

import (
	"os"
	"os/exec"
	"testing"
)

// Tool is the path of ansible-playbook. Without it the test is skipped, unless METAPIPE_REQUIRE_ANSIBLE is set.
func Tool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ansible-playbook")
	if err == nil {
		return path
	}
	const missing = "ansible: there is no ansible-playbook in PATH; install ansible-core"
	if os.Getenv("METAPIPE_REQUIRE_ANSIBLE") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
