package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// workspace is a private copy of the manager tree for one run of one target:
//
//	<job.Dir>/workspace/tree      the copy
//	<job.Dir>/workspace/data      TF_DATA_DIR: modules and providers
//	<job.Dir>/workspace/*.jsonl   what the tool printed
type workspace struct {
	job    pipeline.Job
	engine *Engine
	tool   tool.Binary
	dir    string
	tree   string
	root   string // the root module inside of tree
	data   string
	digest string
	code   *tree.CodeSum // nil in a copy of a prepared root
	copied map[string]tree.Stamp
	shared bool // the tree is copied for several customers
	// readOnly plans take no lock and write no state.
	readOnly bool
	env      []string
	module   module.Root
	// vars is the file with typed variables; empty when the root declares none.
	vars string
	// openBackend leaves every argument of the backend to init, so that the block
	// in the tree is the same for all targets.
	openBackend bool
	// backend is what init receives of it, as writeBackend made it.
	backend pipeline.Backend
	// backendArgs pass to init what the backend block of the root leaves open.
	backendArgs []string
	// kept is where a state lies that could not be written; mostly empty.
	kept string
	log  *redact.Log
	// fed are the secrets that are known before the tool runs.
	fed    *redact.Filter
	fedSet redact.Secrets
	// hidden are the variables that are sensitive since they hold such outputs of other stacks.
	hidden map[string]bool
}

func (w *workspace) copyTree(ctx context.Context) error {
	skip := append(tree.OwnPaths(w.job.ManagerDir, w.job.Root(), w.job.Customer.Manager.State.Directory, module.OwnNames), w.job.Dir)
	c := tree.NewCopy(w.job.ManagerDir, w.tree, skip...)
	c.Root, c.Listed = w.job.Root(), w.job.Customer.Manager.Code
	if !w.shared {
		c.Customer = w.job.Customer.Name
	}
	var err error
	w.digest, err = c.Run(ctx)
	w.copied, w.code = c.Stamps, c.Code
	return err
}

func (w *workspace) failed(what string, err error) error {
	return fmt.Errorf("%s for %s: %w", what, target(w.job), err)
}

// written is the error of writing to the run directory. Where that is full or
// may not be written to, it says so.
func (w *workspace) written(what string, err error) error {
	switch {
	case text.DiskFull(err):
		return &pipeline.FailedError{
			Message:  fmt.Sprintf("%s for %s: the disk of the run directory is full", what, target(w.job)),
			Next:     pipeline.ProviderNext,
			Operator: fullDiskAdvice,
			Err:      err,
		}
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return pipeline.Usagef("%s for %s", what, target(w.job)).Because(err).
			Nextf("check who may read the manager directory and write to the run directory, or name another one with --work-dir")
	}
	return w.failed(what, err)
}

// realRoot is the root module in the tree where links lead to it.
func (w *workspace) realRoot() string {
	root, err := filepath.EvalSymlinks(w.root)
	tree, treeErr := filepath.EvalSymlinks(w.tree)
	rel, relErr := filepath.Rel(tree, root)
	if errors.Join(err, treeErr, relErr) != nil {
		return w.job.Root()
	}
	return filepath.ToSlash(rel)
}

// ownFiles are the paths in the tree that metapipe itself writes.
func (w *workspace) ownFiles() map[string]bool {
	own := map[string]bool{}
	for _, root := range []string{w.job.Root(), w.realRoot()} {
		for _, name := range module.OwnNames {
			own[path.Join(root, name)] = true
		}
	}
	return own
}

// values are the declared variables that something feeds. A required one that
// nothing feeds ends the run here, with the place where its value belongs.
func (w *workspace) values(config pipeline.EffectiveConfig) (map[string]json.RawMessage, error) {
	repo := ""
	if w.job.Customer.Repository != (pipeline.Slug{}) {
		repo = w.job.Customer.Repository.String()
	}
	fed := make(map[string]json.RawMessage, len(config.Values)+3)
	for name, value := range config.Values {
		fed[name] = value
	}
	fed["config"] = config.Whole
	for name, text := range map[string]string{"source_repo": repo, "environment": string(w.job.Environment)} {
		b, err := json.Marshal(text)
		if err != nil {
			return nil, w.failed("write the variables", err)
		}
		fed[name] = b
	}
	needed, err := w.neededValues()
	if err != nil {
		return nil, w.failed("write the variables", err)
	}
	maps.Copy(fed, needed) // last: nothing that a customer writes takes their place
	values := map[string]json.RawMessage{}
	var missing []pipeline.Diagnostic
	for name, variable := range w.module.Variables {
		if value, ok := fed[name]; ok {
			values[name] = value
		} else if variable.Required {
			missing = append(missing, w.missingVariable(name, pipeline.Position{File: path.Join(w.job.Root(), variable.File), Line: variable.Line}))
		}
	}
	if len(missing) == 0 {
		return values, nil
	}
	sort.Slice(missing, func(i, j int) bool { return missing[i].Summary < missing[j].Summary })
	var names []string
	for _, m := range missing {
		names = append(names, fmt.Sprintf("%s: %s", m.Where, m.Summary))
	}
	return nil, &pipeline.FailedError{
		Message:     fmt.Sprintf("%s cannot be planned: %s", target(w.job), strings.Join(names, "; ")),
		Next:        missing[0].Remedy,
		Diagnostics: missing,
	}
}

func (w *workspace) missingVariable(name string, where pipeline.Position) pipeline.Diagnostic {
	pos, _ := w.job.Variables.Locate("environments", string(w.job.Environment), name)
	return pipeline.Diagnostic{
		Summary: fmt.Sprintf("variable %q has no value", name),
		Detail:  "The root module requires this variable, and neither variables.yml nor metapipe gives it a value.",
		Where:   where,
		Source:  pos,
		Remedy: fmt.Sprintf("add `%s:` at the top level of %s or under `environments.%s`; or the manager gives the variable a default",
			name, pos.File, w.job.Environment),
	}
}

func (w *workspace) writeVars(values map[string]json.RawMessage) error {
	if len(values) == 0 {
		return nil
	}
	// One line per value, since the tool quotes the line that it complains about.
	content, err := json.MarshalIndent(values, "", " ")
	if err != nil {
		return w.failed("write the variables", err)
	}
	w.vars = filepath.Join(w.dir, "metapipe.tfvars.json")
	return w.wrapWrite(os.WriteFile(w.vars, content, 0o600))
}

func (w *workspace) wrapWrite(err error) error {
	if err != nil {
		return w.written("write the variables", err)
	}
	return nil
}

// lockFile returns the SHA-256 of the dependency lock file, "" when there is none.
func (w *workspace) lockFile() (string, error) {
	sum, err := tree.FileSHA256(filepath.Join(w.root, output.LockFileName))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return sum, err
}

// fullDiskAdvice is for the operator.
const fullDiskAdvice = "free space there, or name another directory with --work-dir"

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
