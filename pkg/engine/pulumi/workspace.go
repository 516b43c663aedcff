package pulumi

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// workspace is a private copy of the manager tree for one run of one target:
//
//	<job.Dir>/workspace/tree      the copy
//	<job.Dir>/workspace/private   the settings of the stack, events, a copy of the state
type workspace struct {
	job      pipeline.Job
	engine   *Engine
	tool     binary
	dir      string
	tree     string
	root     string // of the stack, inside of tree
	private  string
	place    place
	project  project
	config   pipeline.EffectiveConfig
	inputs   map[string]input
	evidence pipeline.PlanEvidence
	raw      []byte // the state as it lies in the backend; nil: there is none
	state    checkpoint
	found    pipeline.StateRecord
	crypt    *crypter
	env      []string // without the backend
	log      *redact.Log
	secrets  redact.Secrets
	filter   *redact.Filter
	// stateSecrets are what is secret in the state; they are read once.
	stateSecrets func() (redact.Secrets, error)
	pluginHome   string   // where plugins are installed
	stdin        *os.File // of the next command; nil: there is nothing to read
}

// open copies the manager tree into a fresh workspace, and reads the state and all that the
// program is given.
func (e *Engine) open(ctx context.Context, job pipeline.Job, tool binary) (*workspace, error) {
	w := e.workspaceOf(job, tool)
	w.secrets = redact.OfJob(e.options.Secrets, job.Needed)
	w.refilter()
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, w.written("clear the run directory", err)
	}
	for _, dir := range []string{w.private, w.home()} {
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
	for _, step := range []func(context.Context) error{w.readProject, w.readVariables, w.checkNeeded, w.readState, w.setEnvironment} {
		if err := step(ctx); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (e *Engine) workspaceOf(job pipeline.Job, tool binary) *workspace {
	w := &workspace{job: job, engine: e, tool: tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log), evidence: newEvidence(tool.tool()),
		secrets: redact.Secrets{}, filter: redact.NewFilter(nil)}
	w.tree, w.private = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "private")
	w.root = filepath.Join(w.tree, filepath.FromSlash(job.Root()))
	w.log.Clean = w.relative
	return w
}

func (w *workspace) home() string { return filepath.Join(w.private, "home") }

// close removes what is secret of the workspace. The run directory goes as a whole, but later.
func (w *workspace) close() {
	if w != nil {
		_ = os.RemoveAll(w.private) // what cannot be removed goes with the run directory
	}
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
	for _, dir := range []string{w.tree, w.private, w.dir, w.place.dir} {
		if dir != "" {
			s = strings.ReplaceAll(s, dir+string(filepath.Separator), "")
		}
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
	file := filepath.Join(w.private, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		return w.written("write "+name, err)
	}
	return nil
}

// inRoot is a file of the root, relative to the manager directory.
func (w *workspace) inRoot(name string) string { return path.Join(w.job.Root(), name) }

// readProject reads the project, whose name is that of the stack in metapipe.yml: it is part
// of the names of all resources.
func (w *workspace) readProject(context.Context) error {
	var err error
	if w.project, err = readProject(w.root); errors.Is(err, fs.ErrNotExist) {
		return pipeline.Usagef("the root %q of %s holds no %s", w.job.Root(), w.job.Target(), projectFile).Nextf("write the project of the stack as %s", w.inRoot(projectFile))
	}
	if err != nil {
		return pipeline.Usagef("%s is no project of Pulumi", w.inRoot(projectFile)).Because(err).Nextf("correct it")
	}
	if w.project.name != string(w.job.Stack) {
		return pipeline.Usagef("the project in %s has the name %s, and its stack in metapipe.yml the name %s", w.inRoot(projectFile), pipeline.Quote(w.project.name), w.job.Stack).
			Nextf("write `name: %s`: a project that is renamed would be built a second time", w.job.Stack)
	}
	w.place, err = w.engine.placeOf(w.job)
	return err
}

// readVariables reads what the customer wrote, and what of it the program gets.
func (w *workspace) readVariables(context.Context) error {
	var err error
	if w.config, err = w.job.Variables.Effective(w.job.Environment); err != nil {
		return w.failed("read the variables", err)
	}
	if err := w.readInputs(); err != nil {
		return err
	}
	if w.evidence[evidenceInputs], err = sumInputs(w.job.Salt, w.inputs); err != nil {
		return w.failed("read the variables", err)
	}
	for _, in := range w.inputs {
		w.secrets.AddMarked(in.value, in.secret)
		if in.secret == true {
			w.secrets.AddAll(plainText(in.value))
		}
	}
	w.refilter()
	return nil
}

// checkNeeded finds what the program gets of outputs that are not known yet. Nothing is
// planned then: a value in their place would be a guess.
func (w *workspace) checkNeeded(context.Context) error {
	var waits []pipeline.Diagnostic
	var unknown []string
	for _, needed := range w.job.Needed {
		if slices.Contains(ownInputs(), string(needed.Stack)) {
			return pipeline.Usagef("the stack %s needs a stack with the name %s, which is a value of its own here", w.job.Stack, needed.Stack).Nextf("give that stack another name in metapipe.yml")
		}
		if err := pipeline.CheckOutputs(needed.Values); err != nil {
			return w.failed(fmt.Sprintf("read the outputs of %s", needed.Stack), err)
		}
		d, declared := w.project.inputs[string(needed.Stack)]
		if !declared {
			continue
		}
		if needed.Unknown != "" {
			unknown = append(unknown, needed.Unknown)
		}
		for _, o := range needed.Values {
			if !o.Known() && w.reads(needed.Stack, o.Name) {
				waits = append(waits, pipeline.Diagnostic{Warning: true, Where: pipeline.Position{File: w.inRoot(projectFile), Line: d.line},
					Summary: fmt.Sprintf("the program depends on the output %s of %s that is not known yet", o.Name, needed.Stack)})
			}
		}
	}
	if len(waits) == 0 && len(unknown) == 0 {
		return nil
	}
	var parts []string
	if len(waits) > 0 {
		parts = append(parts, waits[0].Summary)
	}
	return &pipeline.DeferredError{Message: strings.Join(append(parts, unknown...), "; "), Waits: waits}
}

// reads reports whether the program may read an output of a needed stack: a file of the root
// names it. Where none names the stack's outputs one by one, each may be read.
func (w *workspace) reads(stack pipeline.StackName, output string) bool {
	if w.project.runtime != "yaml" {
		return true
	}
	content, err := os.ReadFile(filepath.Join(w.root, projectFile))
	if err != nil {
		return true
	}
	text := string(content)
	whole := strings.Count(text, "${"+string(stack))
	one := strings.Count(text, "${"+string(stack)+".") + strings.Count(text, "${"+string(stack)+"[")
	return whole != one || strings.Contains(text, string(stack)+"."+output) || strings.Contains(text, string(stack)+"[")
}

// readState reads the state as it lies in the backend, and finds the passphrase of its secrets.
func (w *workspace) readState(ctx context.Context) error {
	var err error
	if w.raw, err = w.place.read(ctx); err != nil {
		return w.failed("read the state", err)
	}
	if w.raw != nil {
		if w.state, err = readCheckpoint(w.raw); err != nil {
			return w.damaged(err)
		}
		if w.state.Checkpoint.Stack != w.place.name() {
			return w.damaged(fmt.Errorf("it is that of the stack %s", pipeline.Quote(w.state.Checkpoint.Stack)))
		}
	}
	w.found = w.state.record()
	w.evidence.SetState(w.found.StateVersion)
	return w.openSecrets(ctx)
}

func (w *workspace) damaged(err error) error {
	lost := pipeline.DamagedState(w.job.Target(), w.job.Backend.String(), err.Error())
	return lost.Refusal()
}

// passphrases are those of the target, the one for new stacks first.
func (w *workspace) passphrases(ctx context.Context) ([]string, error) {
	if w.place.scratch() {
		return []string{rand.Text()}, nil // nobody needs to open this state again
	}
	if w.engine.options.Passphrases == nil {
		return nil, errors.New("there is no passphrase for the secrets of the state")
	}
	all, err := w.engine.options.Passphrases(ctx, w.job)
	if err == nil && len(all) == 0 {
		err = errors.New("there is no key to derive it from")
	}
	if err != nil {
		return nil, w.failed("derive the passphrase of the secrets", err)
	}
	return all, nil
}

// openSecrets finds the passphrase that the state was written with. What is secret in the state
// is learned beside the tool, which takes as long: see learn.
func (w *workspace) openSecrets(ctx context.Context) error {
	all, err := w.passphrases(ctx)
	if err != nil {
		return err
	}
	salt, err := w.state.salt()
	if err != nil {
		return err
	}
	// A state without resources has no secret: it may be written anew.
	if w.found.IsNone() {
		salt = ""
	}
	if salt == "" && !hasSecrets(w.inputs) {
		w.crypt = &crypter{passphrase: all[0]} // the CLI makes the salt
	} else if w.crypt, err = w.crypterFor(all, salt); err != nil {
		return err
	}
	w.secrets.AddAll(w.crypt.passphrase)
	w.refilter()
	state, crypt := w.state, w.crypt
	w.stateSecrets = sync.OnceValues(func() (redact.Secrets, error) { return state.secrets(crypt) })
	if bytes.Contains(w.raw, []byte(markSecret)) {
		go func() { _, _ = w.stateSecrets() }() // learn asks again
	}
	return nil
}

// learn adds what is secret in the state to what nobody may see.
func (w *workspace) learn() error {
	found, err := w.stateSecrets()
	if errors.Is(err, errOtherPassphrase) {
		return w.unknownKey()
	}
	if err != nil {
		return w.failed("read the secrets of the state", err)
	}
	if len(found) > 0 {
		maps.Copy(w.secrets, found)
		w.refilter()
	}
	return nil
}

// secrets are what is secret in a state.
func (c checkpoint) secrets(crypt *crypter) (redact.Secrets, error) {
	found := redact.Secrets{}
	if c.Checkpoint.Latest == nil {
		return found, nil
	}
	for _, r := range c.Checkpoint.Latest.Resources {
		for _, raw := range [][]byte{r.Inputs, r.Outputs} {
			if err := crypt.revealJSON(raw, found.AddAll); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// revealJSON reveals the secrets in a value of the state or the plan.
func (c *crypter) revealJSON(raw []byte, found func(any)) error {
	if !bytes.Contains(raw, []byte(markSecret)) {
		return nil
	}
	value, err := jsonvalue.Decode(raw)
	if err != nil {
		return err
	}
	_, _, err = c.reveal(value, found)
	return err
}

// crypterFor is the crypter of a salt, or of a new one where there is none. A single passphrase
// is not tried before it is needed.
func (w *workspace) crypterFor(passphrases []string, salt string) (*crypter, error) {
	if salt == "" {
		c, err := newCrypter(passphrases[0])
		if err == nil {
			w.engine.crypters.Store(c.salt, c)
		}
		return c, err
	}
	if known, is := w.engine.crypters.Load(salt); is {
		if c := known.(*crypter); w.place.scratch() || slices.Contains(passphrases, c.passphrase) {
			return c, nil
		}
	}
	for _, passphrase := range passphrases {
		c := &crypter{passphrase: passphrase, salt: salt}
		if len(passphrases) > 1 {
			_, err := c.key()
			if errors.Is(err, errOtherPassphrase) {
				continue
			}
			if err != nil {
				return nil, w.damaged(err)
			}
		}
		w.engine.crypters.Store(salt, c)
		return c, nil
	}
	return nil, w.unknownKey()
}

func (w *workspace) unknownKey() error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonUnknownKey, Next: pipeline.ProviderNext,
		Message:  fmt.Sprintf("the secrets in the state of %s are encrypted under a key of metapipe that is not at hand", w.job.Target()),
		Operator: "add the key that was in use when the stack was made to METAPIPE_KEY (or to sealing_keys) again, behind the present ones"}
}

// usePassphrase takes the passphrase of a plan, whose secrets it opens.
func (w *workspace) usePassphrase(c *crypter) error {
	if c.passphrase == w.crypt.passphrase {
		w.crypt = c
		return nil
	}
	if !w.found.IsNone() {
		return &pipeline.RefusedError{Reason: pipeline.ReasonUnknownKey, Message: "the plan and the state have secrets under different keys of metapipe", Next: pipeline.ProviderNext,
			Operator: "make a new plan"}
	}
	for i, pair := range w.env {
		if strings.HasPrefix(pair, phraseVariable+"=") {
			w.env[i] = phraseVariable + "=" + c.passphrase
		}
	}
	w.crypt = c
	w.secrets.AddAll(c.passphrase)
	w.refilter()
	return nil
}
