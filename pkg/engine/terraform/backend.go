package terraform

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// backendFile holds the arguments for the root's own backend block. It lies
// beside the tree and not in it, so it is neither in the digest nor in a bundle.
const backendFile = "metapipe.tfbackend.json"

// checkBackend refuses what this version of the tool cannot do.
func (w *workspace) checkBackend() error {
	b := w.job.Backend
	if b.Type != pipeline.BackendS3 || b.Config["use_lockfile"] != "true" || w.tool.AtLeast(1, 10) {
		return nil
	}
	return pipeline.Usagef("%s %s cannot lock a state in S3 with a lock file: that came with version 1.10", w.tool.Name, w.tool.Version).
		Nextf("use a newer version (tool.version in metapipe.yml), or name a DynamoDB table for the locks with state.lock_table")
}

// writeBackend configures where the state is. A backend block of the root of
// the same type is completed by a file of arguments, so what its author says
// beyond the place of the state stays; any other one is replaced.
func (w *workspace) writeBackend() error {
	b := w.job.Backend
	if path := w.localState(); path != "" {
		if !w.readOnly {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
		}
		b = pipeline.Backend{Type: pipeline.BackendLocal, Config: map[string]string{"path": path}}
	}
	arguments := w.backendArguments(b)
	w.backend = pipeline.Backend{Type: b.Type, Config: arguments}
	block := arguments
	completes := b.Type != pipeline.BackendLocal && w.module.Backend == b.Type
	if w.openBackend || completes {
		content, err := json.Marshal(arguments)
		if err != nil {
			return err
		}
		w.backendArgs = []string{"-backend-config=" + w.fromRoot(filepath.Join(w.dir, backendFile))}
		if err := os.WriteFile(filepath.Join(w.dir, backendFile), content, 0o600); err != nil || completes {
			return err
		}
		block = map[string]string{}
	}
	content, err := json.Marshal(map[string]any{
		"terraform": map[string]any{"backend": map[string]any{b.Type: block}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.root, module.BackendOverride), content, 0o600)
}

// backendArguments adds to the arguments of S3 what a server other than AWS
// needs: a path in the place of a host name for each bucket, and none of the
// questions that only AWS can answer.
func (w *workspace) backendArguments(b pipeline.Backend) map[string]string {
	arguments := maps.Clone(b.Config)
	if b.Type != pipeline.BackendS3 || !w.engine.ownS3() {
		return arguments
	}
	for _, name := range []string{"use_path_style", "skip_credentials_validation", "skip_requesting_account_id", "skip_metadata_api_check", "skip_region_validation"} {
		if arguments[name] == "" {
			arguments[name] = "true"
		}
	}
	return arguments
}

// ownS3 reports whether the environment names an S3 server that is not AWS.
func (e *Engine) ownS3() bool {
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		value := e.options.Environ.Get(name)
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil {
			return false
		}
		host := strings.ToLower(u.Hostname())
		return !strings.HasSuffix(host, ".amazonaws.com") && !strings.HasSuffix(host, ".amazonaws.com.cn")
	}
	return false
}

// localState is the path of a state on this machine, "" for one elsewhere.
func (w *workspace) localState() string {
	if w.job.Backend.Zero() {
		return filepath.Join(w.job.Dir, "scratch.tfstate")
	}
	return w.job.Backend.Path()
}
