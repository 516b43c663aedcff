package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestProviderRemedies lets the tools fail at a mirror that has one version of a
// provider, which is never run.
func TestProviderRemedies(t *testing.T) {
	t.Parallel()
	platform := runtime.GOOS + "_" + runtime.GOARCH
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		host := map[string]string{"terraform": "registry." + "terraform.io", "tofu": "registry." + "opentofu.org"}[tool.Name]
		mirror := t.TempDir()
		binary := filepath.Join(mirror, host, "acme", "thing", "2.1.0", platform, "terraform-provider-thing_v2.1.0")
		terraformtest.WriteFile(t, binary, "#!/bin/sh\n")
		if err := os.Chmod(binary, 0o755); err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(t.TempDir(), "cli.tfrc")
		terraformtest.WriteFile(t, config, "provider_installation {\n  filesystem_mirror { path = \""+mirror+"\" }\n}\n")
		lock := func(version, constraint string) string {
			return fmt.Sprintf("provider \"%s/acme/thing\" {\n  version     = %q\n  constraints = %q\n  hashes = [\n    \"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\n  ]\n}\n", host, version, constraint)
		}
		for name, c := range map[string]struct{ source, constraint, lock, want string }{
			"hashes of other platforms":  {"acme/thing", "", lock("2.1.0", ""), "`" + tool.Name + " providers lock -platform=" + platform + "`"},
			"another version is locked":  {"acme/thing", ">= 2.1.0", lock("2.0.0", ">= 2.0.0"), "`" + tool.Name + " init -upgrade` in terraform of the manager, and commit .terraform.lock.hcl"},
			"the locked version is gone": {"acme/thing", ">= 1.0.0", lock("2.0.0", ">= 1.0.0"), "a version that the registry or the provider mirror no longer has: run `" + tool.Name + " init -upgrade`"},
			"no release fits":            {"acme/thing", ">= 3.0.0", "", "change them in required_providers"},
			"no such provider":           {"acme/other", "", "", "correct the source of the provider"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				version := ""
				if c.constraint != "" {
					version = "version = \"" + c.constraint + "\""
				}
				files := map[string]string{"terraform/main.tf": fmt.Sprintf("terraform {\n  required_providers {\n    thing = {\n      source = %q\n      %s\n    }\n  }\n}\nresource \"thing_x\" \"y\" {}\n", c.source, version)}
				if c.lock != "" {
					files["terraform/.terraform.lock.hcl"] = c.lock
				}
				engine := testEngine(t, tool, func(o *Options) { o.Environ = append(o.Environ, "TF_CLI_CONFIG_FILE="+config) })
				_, err := engine.Plan(t.Context(), terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, files))
				var failed *pipeline.FailedError
				if !errors.As(err, &failed) || !strings.Contains(failed.Operator, c.want) || strings.Contains(failed.Operator, "network") || failed.Next != pipeline.ProviderNext {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}

func TestProviderRemedyIsChosenByTheDetail(t *testing.T) {
	t.Parallel()
	for printed, want := range map[string]string{
		"could not query provider registry for registry.example/a/b: the request failed after 2 attempts, please try again later: Get \"https://registry.example/.well-known/terraform.json\": dial tcp: lookup registry.example: no such host": "network",
		"Error while installing a/b v1.0.0: could not query provider registry: failed to retrieve cryptographic signature: 503 Service Unavailable":                                                                                             "network",
		"Error while installing a/b v1.0.0: archive has incorrect checksum; checksum list has unexpected SHA-256 hash ab (expected cd)":                                                                                                         "signed",
		"Error while installing a/b v1.0.0: provider registry does not have a package available for your current platform, linux_riscv64":                                                                                                       "has a package for",
		"Changes to the required provider dependencies were detected, but the lock file\nis read-only.":                                                                                                                                         "`tofu init -upgrade`",
		"Could not retrieve the list of available versions for provider a/b: the previously-selected version 3.3.0 is no longer available":                                                                                                      "`tofu init -upgrade` in terraform of the manager, and commit .terraform.lock.hcl",
		"Could not retrieve the list of available versions for provider hashicorp/tls: something new about v5.503.0":                                                                                                                            "",
	} {
		got := output.ProviderRemedy("Failed to install provider\n"+printed, "tofu", "terraform")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", printed, got, want)
		}
	}
}
