package kubernetestest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
)

// functionName is the composition function of the tests; see .ci/tools.
const functionName = "crossplane-function-metapipetest"

// Crossplane is the path of the crossplane CLI. Without it, or without the function of the tests, the test is skipped,
// unless METAPIPE_REQUIRE_CROSSPLANE is set.
func Crossplane(t testing.TB) string {
	t.Helper()
	return crossplaneTool(t, "crossplane")
}

func crossplaneTool(t testing.TB, name string) string {
	t.Helper()
	path, found := enginetest.FindTool(name)
	if found {
		return path
	}
	missing := "crossplane: there is no " + name + "; run `make tools`"
	if os.Getenv("METAPIPE_REQUIRE_CROSSPLANE") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Function starts the composition function of the tests, which ends with the test, and returns its address.
func Function(t testing.TB) string {
	t.Helper()
	cmd := exec.Command(crossplaneTool(t, functionName))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends then
		if err := cmd.Wait(); err != nil {
			t.Errorf("the function ended with %v", err)
		}
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}
