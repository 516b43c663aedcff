package terraform

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestModuleRemedies lets the tools fail at modules that cannot be fetched: the operator
// reads what could not be fetched, where it is called, and what to check.
func TestModuleRemedies(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for source, want := range map[string][]string{
			"git::https://127.0.0.1:1/net.git":                 {"git::https://127.0.0.1:1/net.git", "network of the runner"},
			"git::https://bot:s3cret@127.0.0.1:1/net.git//sub": {"https://bot@127.0.0.1:1/net.git", "network of the runner"},
			"git::ssh://git@127.0.0.1:1/net.git":               {"git::ssh://git@127.0.0.1:1/net.git", "credentials"},
			"https://127.0.0.1:1/net.zip":                      {"https://127.0.0.1:1/net.zip", "network of the runner"},
			"localhost:1/acme/net/aws":                         {"could not be fetched from localhost:1", "network of the runner"},
			"./absent":                                         {"the directory ./absent of module \"net\" does not exist", "correct `source` at terraform/net.tf:2"},
			"../modules/absent":                                {"the directory ../modules/absent", "correct `source` at terraform/net.tf:2"},
		} {
			t.Run(strings.NewReplacer("/", "_", ":", "_").Replace(source), func(t *testing.T) {
				t.Parallel()
				files := map[string]string{"terraform/net.tf": fmt.Sprintf("\nmodule \"net\" {\n  source = %q\n}\n", source)}
				_, err := testEngine(t, tool).Plan(t.Context(), terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, files))
				var failed *pipeline.FailedError
				if !errors.As(err, &failed) || failed.Next != pipeline.ProviderNext || !strings.Contains(failed.Message, "terraform/net.tf:2") {
					t.Fatalf("got %v", err)
				}
				for _, part := range want {
					if !strings.Contains(failed.Operator, part) {
						t.Errorf("the operator reads %q, want %q", failed.Operator, part)
					}
				}
				if strings.Contains(failed.Operator, "s3cret") || strings.Contains(failed.Operator, "lstat") {
					t.Errorf("the operator reads %q", failed.Operator)
				}
			})
		}
	})
}

// TestModuleRemedyIsChosenByTheDetail: the same summary stands for several causes.
func TestModuleRemedyIsChosenByTheDetail(t *testing.T) {
	t.Parallel()
	const from = "Failed to download module\nCould not download module \"n\" (a/main.tf:12) source code from\n\"git::https://example.com/n.git\": "
	for printed, want := range map[string]string{
		from + "fatal: Authentication failed for 'https://example.com/n.git/'":                                                     "no access",
		from + "fatal: could not read Username for 'https://example.com': terminal prompts disabled":                               "no access",
		from + "git@example.com: Permission denied (publickey).":                                                                   "no access",
		from + "error: pathspec 'v9' did not match any file(s) known to git":                                                       "correct `ref` in `source` at a/main.tf:12",
		from + "fatal: Remote branch v9 not found in upstream origin":                                                              "correct `ref`",
		from + "remote: Repository not found.":                                                                                     "does not exist there, or",
		from + "fatal: unable to access: Could not resolve host: example.com":                                                      "network",
		from + "hg must be available and on the PATH":                                                                              "install the program",
		from + "error downloading 'file:///x': source path error: stat /x: no such file or directory":                              "correct `source` at a/main.tf:12",
		"Module not found\nModule \"n\" (from a/main.tf:12) cannot be found in the module registry at modules.example.":            "modules.example",
		"Unresolvable module version constraint\nThere is no available version of module \"n\" (a/main.tf:12) which matches >= 9.": "correct `version` at a/main.tf:12",
		from + "something new": "network of the runner, its credentials",
	} {
		call, ok := output.ModuleOf(printed)
		if !ok || call.Name != "n" || call.File != "a/main.tf" || call.Line != "12" || !output.AboutModules().MatchString(printed) {
			t.Errorf("%s: %+v", printed, call)
		}
		if got := output.ModuleRemedy(printed, call, "a/main.tf:12", ""); !strings.Contains(got, want) {
			t.Errorf("%s:\n%q, want %q", printed, got, want)
		}
	}
}
