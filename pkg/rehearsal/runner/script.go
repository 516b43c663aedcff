package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// shells are the forms of `shell`, with {0} for the file of the script. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
var shells = map[string]string{ //nolint:gosec // forms of command lines
	"":       "bash -e {0}", // of a step that names none
	"bash":   "bash --noprofile --norc -eo pipefail {0}",
	"sh":     "sh -e {0}",
	"python": "python {0}",
	"pwsh":   "pwsh -command . '{0}'",
}

// script runs the `run` of a step.
func (q *sequence) script(ctx context.Context, def *actionlint.ExecRun, s *Step, sees scope) error {
	text, err := sees.at("jobs.<job_id>.steps.run").text(def.Run.Value)
	if err != nil {
		return q.at(def.Run.Pos, err)
	}
	s.Script = text
	shell, dir, err := q.defaults(def, sees)
	if err != nil {
		return err
	}
	f, err := q.newFiles(s)
	if err != nil {
		return err
	}
	file := filepath.Join(f.dir, "script.sh")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the script of a step of job %s: %w", q.Path, err)
	}
	form, ok := shells[shell]
	if !ok {
		form = shell
	}
	words := strings.Fields(form)
	if !strings.Contains(form, "{0}") || len(words) < 2 {
		return fmt.Errorf("shell: %q is not known", shell)
	}
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "{0}", file)
	}
	environ := q.environ(s, f)
	program, err := lookPath(words[0], environ)
	if err != nil {
		return fmt.Errorf("%s, which runs the script of this step, is not in PATH: install it", words[0])
	}
	reader := &interpreter{masks: q.Masks}
	line := q.Host.Begin(s)
	p := Process{Path: program, Args: words[1:], Dir: dir, Env: environ, Patience: patience, Line: func(l string) { line(reader.read(l)) }}
	if q.Exec != nil {
		s.Exit, err = q.Exec(ctx, s, p)
	} else {
		s.Exit, err = p.Run(ctx)
	}
	if err != nil {
		s.Problem = err.Error()
	}
	s.Annotations = reader.annotations
	q.read(f, s)
	for name, value := range reader.outputs {
		if _, written := s.Outputs[name]; !written { // what stands in the file is read last
			s.Outputs[name] = value
		}
	}
	if reader.forbidden != "" && s.Problem == "" {
		s.Problem = "the step uses the command " + reader.forbidden + ", which GitHub does not obey"
	}
	q.Host.End(s)
	return nil
}

// defaults are the shell and the directory of a script: its own, those of the job, those of the workflow.
func (q *sequence) defaults(def *actionlint.ExecRun, sees scope) (shell, dir string, err error) {
	from := []*actionlint.DefaultsRun{{Shell: def.Shell, WorkingDirectory: def.WorkingDirectory}}
	if q.action == nil {
		for _, d := range []*actionlint.Defaults{q.def.Defaults, q.w.Defaults} {
			if d != nil && d.Run != nil {
				from = append(from, d.Run)
			}
		}
	}
	for _, d := range from {
		for _, x := range []struct {
			from *actionlint.String
			to   *string
		}{{d.Shell, &shell}, {d.WorkingDirectory, &dir}} {
			if x.from == nil || *x.to != "" {
				continue
			}
			if *x.to, err = sees.at("jobs.<job_id>.steps.working-directory").text(x.from.Value); err != nil {
				return "", "", q.at(x.from.Pos, err)
			}
		}
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(q.Workspace, filepath.FromSlash(dir))
	}
	return shell, dir, nil
}

// environ is the environment of a step: that of the machine, what the runner sets (GitHub's page "Variables"), and
// the `env` of workflow, job and step.
func (q *sequence) environ(s *Step, f files) []string {
	values := map[string]string{}
	for _, pair := range q.Environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	maps.Copy(values, s.Env)
	github := q.activeJob.scope.contexts["github"].(map[string]any)
	for _, name := range []string{"actor", "actor_id", "api_url", "base_ref", "event_name", "event_path", "graphql_url", "head_ref", "job", "ref", "ref_name", "ref_protected", "ref_type", "repository",
		"repository_id", "repository_owner", "repository_owner_id", "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow", "workflow_ref", "workflow_sha", "workspace"} {
		values["GITHUB_"+strings.ToUpper(name)] = format(github[name])
	}
	for name, value := range map[string]string{"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTION": "__" + safe(s.ID+s.Name), "RUNNER_NAME": "rehearsal", "RUNNER_OS": OS(), "RUNNER_ARCH": Arch(), "RUNNER_ENVIRONMENT": "self-hosted",
		"RUNNER_TEMP": filepath.Join(q.Dir, "temp"), "RUNNER_TOOL_CACHE": filepath.Join(q.Dir, "tools")} {
		values[name] = value
	}
	for _, name := range fileNames {
		values["GITHUB_"+strings.ToUpper(name)] = filepath.Join(f.dir, name)
	}
	if q.action != nil {
		values["GITHUB_ACTION_PATH"] = q.action.dir
	}
	if q.grant.IDTokenURL != "" {
		values["ACTIONS_ID_TOKEN_REQUEST_URL"], values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = q.grant.IDTokenURL, q.grant.IDTokenBearer
	}
	values["PATH"] = strings.Join(append(slices.Clone(q.path), values["PATH"]), string(filepath.ListSeparator))
	out := make([]string, 0, len(values))
	for _, name := range sorted(values) {
		out = append(out, name+"="+values[name])
	}
	return out
}

// lookPath finds a program in the PATH of an environment.
func lookPath(name string, environ []string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	for _, pair := range environ {
		list, ok := strings.CutPrefix(pair, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(found) {
				return found, nil
			}
		}
	}
	return "", exec.ErrNotFound
}

// hashFiles is the function of that name: one hash over those of all files that the patterns take, in the order
// of their paths.
func hashFiles(workspace string, patterns []string) (string, error) {
	sum, found := sha256.New(), false
	err := filepath.WalkDir(workspace, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(workspace, name)
		if err != nil || !hashed(patterns, filepath.ToSlash(relative)) {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		one := sha256.New()
		_, err = io.Copy(one, file)
		found = true
		sum.Write(one.Sum(nil))
		return errors.Join(err, file.Close())
	})
	if err != nil || !found {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
