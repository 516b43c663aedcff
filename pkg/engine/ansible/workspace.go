package ansible

import (
	"context"
	"crypto/sha256"
	_ "embed" // the callback
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

//go:embed callback/metapipe.py
var callback []byte

// The names in the root of a stack that metapipe knows.
const (
	playbookFile   = "site.yml"
	destroyFile    = "destroy.yml"
	inventoryFile  = "inventory.yml"
	inventoryDir   = "inventory"
	knownHostsFile = "known_hosts"
	collectionsDir = "collections"
	rolesDir       = "roles"
)

// workspace is a private copy of the manager tree for one run of one target:
//
//	<job.Dir>/workspace/tree      the copy
//	<job.Dir>/workspace/private   the callback and what it writes, variables, inventory, keys
//	<job.Dir>/workspace/home      HOME of the tool
type workspace struct {
	job      pipeline.Job
	engine   *Engine
	tool     binary
	dir      string
	tree     string
	root     string // of the stack, inside of tree
	private  string
	playbook string // its name in root
	evidence pipeline.PlanEvidence
	config   pipeline.EffectiveConfig
	env      []string
	args     []string
	log      *redact.Log
	secrets  redact.Secrets
	filter   *redact.Filter
}

// open copies the manager tree into a fresh workspace and writes what the tool is given.
func (e *Engine) open(ctx context.Context, job pipeline.Job, tool binary) (*workspace, error) {
	w := &workspace{job: job, engine: e, tool: tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log), playbook: playbookFile,
		evidence: newEvidence(tool.tool())}
	if job.Destroy {
		w.playbook = destroyFile
	}
	w.tree, w.private = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "private")
	w.root = filepath.Join(w.tree, filepath.FromSlash(job.Root()))
	w.log.Clean = w.relative
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, w.written("clear the run directory", err)
	}
	for _, dir := range []string{w.private, filepath.Join(w.dir, "home"), filepath.Join(w.private, "tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, w.written("make the run directory", err)
		}
	}
	if err := w.copyTree(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, w.written("copy the manager directory", err)
	}
	w.secrets = redact.OfJob(e.options.Secrets, job.Needed)
	w.refilter()
	for _, step := range []func() error{w.checkPlaybook, w.checkNeeded, w.readVariables, w.writeInventory, w.writeVariables, w.writeCredentials, w.writeCallback, w.digests} {
		if err := step(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, w.setEnvironment()
}

func (w *workspace) copyTree(ctx context.Context) error {
	digest, code, err := tree.CopyJob(ctx, w.job, w.tree)
	if err == nil {
		w.evidence.SetManager(digest, code)
	}
	return err
}

func (w *workspace) refilter() {
	w.filter = redact.NewFilter(w.secrets)
	w.log.Redact(w.filter)
}

// relative takes the private paths of the run out of a text.
func (w *workspace) relative(s string) string {
	for _, dir := range []string{w.tree, w.private, w.dir} {
		s = strings.ReplaceAll(s, dir+string(filepath.Separator), "")
	}
	return strings.ReplaceAll(s, w.tree, ".")
}

func (w *workspace) failed(what string, err error) error {
	return fmt.Errorf("%s for %s: %w", what, w.job.Target(), err)
}

// written is the error of writing to the run directory.
func (w *workspace) written(what string, err error) error {
	return tree.WriteError(w.job.Target(), what, err)
}

func (w *workspace) write(name string, content []byte) error {
	if err := os.WriteFile(filepath.Join(w.private, name), content, 0o600); err != nil {
		return w.written("write "+name, err)
	}
	return nil
}

// readVariables reads what the customer wrote.
func (w *workspace) readVariables() error {
	var err error
	if w.config, err = w.job.Variables.Effective(w.job.Environment); err != nil {
		return w.failed("read the variables", err)
	}
	return nil
}

// writeVariables writes the variables of the run: the customer's as `config`, the target's as
// `metapipe`, and the outputs of each needed stack under its name. No value of the customer or
// of another stack becomes a variable of its own, since that would take the place of
// whatever the playbook, a role or Ansible itself calls so.
func (w *workspace) writeVariables() error {
	config := map[string]json.RawMessage{}
	for name, value := range w.config.Values {
		if name != inventoryVariable && name != "environments" {
			config[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: config[name]})
		if err == nil {
			_, err = unsafeYAML(one)
		}
		if err != nil {
			return w.unusableKey(name, err)
		}
	}
	own := map[string]string{"customer": string(w.job.Customer.Name), "environment": string(w.job.Environment), "source_repo": w.job.Customer.Repository.String()}
	all := map[string]any{configVariable: config, ownVariable: own}
	for _, needed := range w.job.Needed {
		outputs := map[string]json.RawMessage{}
		for _, o := range needed.Values {
			outputs[o.Name] = o.Value
		}
		all[neededVariable(needed.Stack)] = outputs
	}
	whole, err := json.Marshal(all)
	if err != nil {
		return w.failed("write the variables", err)
	}
	data, err := unsafeYAML(whole)
	if err != nil {
		return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: the outputs of a needed stack cannot be used: %v", w.job.Target(), err), Next: pipeline.ProviderNext,
			Operator: "give the key in that output another name"}
	}
	w.evidence[evidenceVariables] = w.job.Salt.Sum(data)
	return w.write("variables.yml", append(data, '\n'))
}

// unusableKey is the error of a key of the customer, at or below name, that Ansible does not take for data.
func (w *workspace) unusableKey(name string, cause error) error {
	at, exact := w.job.Variables.Locate("environments", string(w.job.Environment), name)
	if !exact {
		at, exact = w.job.Variables.Locate(name)
	}
	d := pipeline.Diagnostic{Summary: fmt.Sprintf("the value of %s cannot be used: %v", name, cause), Source: at, Exact: exact, Remedy: "give the key another name"}
	return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: %s (%s)", w.job.Target(), d.Summary, at), Next: d.Remedy, Diagnostics: []pipeline.Diagnostic{d}}
}

func (w *workspace) writeCallback() error {
	settings, err := json.Marshal(map[string]any{"check": true, "unchecked": append([]string{}, w.job.Tool().Ansible.RunsInCheck...)})
	if err != nil {
		return w.failed("write the callback", err)
	}
	return errors.Join(w.write("metapipe.py", callback), w.write("settings.json", settings), w.write("ansible.cfg", []byte("[defaults]\n")))
}

// digests notes the parts of the evidence that are in the tree.
func (w *workspace) digests() error {
	isLocked := func(rel string) bool {
		top, _, _ := strings.Cut(rel, "/")
		return top == collectionsDir || top == rolesDir
	}
	for name, counts := range map[string]func(string) bool{
		evidencePlaybook:    func(rel string) bool { return !isLocked(rel) },
		evidenceCollections: isLocked,
	} {
		sum, err := digestOf(w.root, counts)
		if err != nil {
			return w.failed("read the root of the stack", err)
		}
		w.evidence[name] = sum
	}
	return nil
}

// digestOf covers paths and contents of the files below dir that count; empty: there are none.
func digestOf(dir string, counts func(rel string) bool) (string, error) {
	sum, found := sha256.New(), false
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if rel = filepath.ToSlash(rel); err != nil || !counts(rel) {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			target, linkErr := os.Readlink(file) // to a directory, or to nothing
			if linkErr != nil {
				return err
			}
			content = []byte("link " + target)
		}
		found = true
		fmt.Fprintf(sum, "%d %s %d ", len(rel), rel, len(content))
		sum.Write(content)
		return nil
	})
	if err != nil || !found {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// place is a path that the tool names, as one of the manager directory.
func (w *workspace) place(at string) pipeline.Position {
	file, line, _ := strings.Cut(at, ":")
	rel, err := filepath.Rel(w.tree, file)
	if err != nil || !filepath.IsLocal(rel) {
		return pipeline.Position{}
	}
	p := pipeline.Position{File: filepath.ToSlash(rel)}
	if _, err := fmt.Sscanf(line, "%d", &p.Line); err != nil {
		p.Line = 1
	}
	return p
}

// inRoot is a file of the root, relative to the manager directory.
func (w *workspace) inRoot(name string) string { return path.Join(w.job.Root(), name) }
