package tool

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestToolEnv(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "rc")
	terraformtest.WriteFile(t, config, "")
	e := process.Environ{
		"PATH=/bin", "HOME=/home/x", "LC_ALL=C", "https_proxy=p", "AWS_REGION=eu", "ARM_TENANT_ID=1",
		"GITHUB_TOKEN=t", "MANAGER_REPO_PAT=t", "METAPIPE_KEY=k", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=t", "TF_VAR_a=1",
		"TF_CLI_ARGS_plan=-destroy", "TF_WORKSPACE=w", "TF_DATA_DIR=/x", "TF_LOG=trace", "RANDOM=1", "VAULT_ADDR=v",
		"VAULT_TOKEN_PAT=v", "TF_CLI_CONFIG_FILE=" + config, "AWS_REGION=us", "=C:=x",
	}
	env, err := Environ(e, pipeline.ToolRule{Env: []string{"VAULT_*", "GITHUB_*", "TF_*", "ACTIONS_*", "METAPIPE_KEY"}}, "/data")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(env)
	want := []string{
		"ARM_TENANT_ID=1", "AWS_REGION=us", "CHECKPOINT_DISABLE=1", "HOME=/home/x", "LC_ALL=C", "PATH=/bin",
		"TF_CLI_CONFIG_FILE=" + config, "TF_DATA_DIR=/data", "TF_INPUT=0", "TF_IN_AUTOMATION=1", "VAULT_ADDR=v", "https_proxy=p",
	}
	if !slices.Equal(env, want) {
		t.Errorf("got  %q\nwant %q", env, want)
	}
}

func TestToolEnvLeavesOutMissingConfig(t *testing.T) {
	t.Parallel()
	e := process.Environ{"TF_CLI_CONFIG_FILE=/nowhere/at/all"}
	env, err := Environ(e, pipeline.ToolRule{}, "/data")
	if err != nil || strings.Contains(strings.Join(env, " "), "CONFIG_FILE") {
		t.Errorf("%q %v", env, err)
	}
}

func TestToolEnvRefusesRules(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"*", "", "A=B", "A*B", "1A", "A B"} {
		_, err := Environ(process.Environ{}, pipeline.ToolRule{Env: []string{rule}}, "/data")
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%q: %v", rule, err)
		}
	}
}
