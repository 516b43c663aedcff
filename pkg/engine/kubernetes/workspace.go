package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// workspace is a private copy of the manager tree for one run of one target:
//
//	<job.Dir>/workspace/tree      the copy
//	<job.Dir>/workspace/private   the kubeconfig, manifests with values, what kubectl prints
//	<job.Dir>/workspace/home      HOME of the tool
type workspace struct {
	job       pipeline.Job
	engine    *Engine
	tool      binary
	dir       string
	tree      string
	root      string // of the stack, inside of tree
	private   string
	namespace string // of what names none; the inventory lies there
	server    string
	evidence  pipeline.PlanEvidence
	config    pipeline.EffectiveConfig
	values    *values
	objects   []*object
	scopes    map[string]bool // of kinds: whether their objects lie in a namespace; nil: not asked yet
	outputs   []output
	env       []string
	calls     atomic.Int64 // of kubectl
	log       *redact.Log
	secrets   redact.Secrets
	filter    *redact.Filter
}

// open copies the manager tree into a fresh workspace, and fills the manifests in. Of an apply,
// receipt is that of the plan: what differs from it is refused before anything is read.
func (e *Engine) open(ctx context.Context, job pipeline.Job, tool binary, receipt *pipeline.Receipt) (*workspace, error) {
	w := e.workspaceOf(job, tool)
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, w.written("clear the run directory", err)
	}
	if err := w.connect(); err != nil {
		return w, err
	}
	digest, code, err := tree.CopyJob(ctx, job, w.tree)
	if err != nil {
		if ctx.Err() != nil {
			return w, err
		}
		return w, w.written("copy the manager directory", err)
	}
	w.evidence.SetManager(digest, code)
	if err := errors.Join(w.digests(), w.readVariables()); err != nil {
		return w, err
	}
	if receipt != nil {
		if err := w.same(*receipt); err != nil {
			return w, err
		}
	}
	if job.Destroy { // of what the inventory lists, whatever the manifests say
		return w, nil
	}
	if err := w.render(); err != nil {
		return w, err
	}
	return w, w.checkPlaces()
}

func (e *Engine) workspaceOf(job pipeline.Job, tool binary) *workspace {
	w := &workspace{job: job, engine: e, tool: tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log), evidence: newEvidence(tool.tool())}
	w.tree, w.private = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "private")
	w.root = filepath.Join(w.tree, filepath.FromSlash(job.Root()))
	w.namespace = job.Tool().Kubernetes.Namespace.Fill(job.Target(), "")
	w.log.Clean = w.relative
	w.secrets = redact.OfJob(e.options.Secrets, job.Needed)
	w.refilter()
	return w
}

// relative takes the private paths of the run out of a text.
func (w *workspace) relative(s string) string {
	for _, dir := range []string{w.tree, w.private, w.dir} {
		s = strings.ReplaceAll(s, dir+string(filepath.Separator), "")
	}
	return s
}

func (w *workspace) refilter() {
	w.filter = redact.NewFilter(w.secrets)
	w.log.Redact(w.filter)
}

// connect writes what kubectl is given to reach the cluster.
func (w *workspace) connect() error {
	for _, dir := range []string{w.private, filepath.Join(w.dir, "home"), filepath.Join(w.private, "cache")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return w.written("make the run directory", err)
		}
	}
	if w.namespace == "" {
		return pipeline.Usagef("the stack %s names no namespace", w.job.Stack).Nextf("set kubernetes.namespace of the stack in metapipe.yml")
	}
	c, err := w.readKubeconfig()
	if err != nil {
		return err
	}
	for _, secret := range c.secrets {
		w.secrets.AddAll(secret)
	}
	w.refilter()
	w.server = c.server
	w.evidence[evidenceCluster] = pipeline.SHA256Hex([]byte(c.server + "\n" + w.namespace))
	if err := w.setEnvironment(); err != nil {
		return err
	}
	return w.write("kubeconfig", c.config)
}

// setEnvironment makes the environment of kubectl. It needs none; a program that the
// kubeconfig runs gets what every tool may see. Nothing there can name another
// kubeconfig, a plugin, a program that shows differences, or a proxy.
func (w *workspace) setEnvironment() error {
	rule := w.job.Tool()
	allowed, err := w.engine.options.Environ.Allowed(rule)
	if err != nil {
		return err
	}
	for _, pair := range allowed {
		name, _, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "KUBE") || strings.HasPrefix(upper, "XDG_") || strings.HasSuffix(upper, "_PROXY") || upper == "HOME" || name == rule.Kubernetes.Kubeconfig {
			continue
		}
		if len(rule.Kubernetes.Exec) > 0 || strings.HasPrefix(upper, "SSL_CERT_") || upper == "SYSTEMROOT" {
			w.env = append(w.env, pair)
		}
	}
	w.env = append(w.env, "HOME="+filepath.Join(w.dir, "home"), "KUBERC=off")
	return nil
}

// close removes what is secret of the workspace. The run directory goes as a whole, but later.
func (w *workspace) close() {
	if w != nil {
		_ = os.RemoveAll(w.private) // what cannot be removed goes with the run directory
	}
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

// writeList writes objects for kubectl, and returns the path: a document each, since the server
// does not check the fields of a List.
func (w *workspace) writeList(name string, objects []map[string]any) (string, error) {
	var all []byte
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			return "", w.failed("write the manifests", err)
		}
		all = append(append(append(all, "---\n"...), raw...), '\n')
	}
	return filepath.Join(w.private, name), w.write(name, all)
}

// readVariables reads what the customer wrote.
func (w *workspace) readVariables() error {
	var err error
	if w.config, err = w.job.Variables.Effective(w.job.Environment); err != nil {
		return w.failed("read the variables", err)
	}
	raw, err := json.Marshal(w.config.Values)
	if err != nil {
		return w.failed("read the variables", err)
	}
	w.evidence[evidenceVariables] = w.job.Salt.Sum(raw)
	return nil
}

// render fills in the manifests and the outputs of the root.
func (w *workspace) render() error {
	var err error
	if w.values, err = newValues(w.job, w.config.Values); err != nil {
		return err
	}
	if w.objects, err = w.values.render(w.tree, w.job.Root()); err == nil {
		w.outputs, err = w.values.readOutputs(w.tree, w.job.Root())
	}
	var place *fillError
	switch {
	case errors.As(err, &place):
		return w.unfilled(place)
	case errors.Is(err, os.ErrNotExist):
		return pipeline.Usagef("the root %q of %s holds no directory %s", w.job.Root(), w.job.Target(), manifestsDir).Nextf("write the manifests of the stack as %s/NAME.yaml", inRoot(w.job.Root(), manifestsDir))
	case err != nil:
		return w.failed("read the manifests", err)
	}
	var unknown []string
	for _, n := range w.job.Needed {
		if n.Unknown != "" {
			unknown = append(unknown, n.Unknown)
		}
	}
	if len(w.values.waits) > 0 {
		return &pipeline.DeferredError{Message: strings.Join(append([]string{w.values.waits[0].Summary}, unknown...), "; "), Waits: w.values.waits}
	}
	inPhases(w.objects)
	for _, o := range w.objects {
		w.hide(o.manifest)
	}
	w.refilter()
	return nil
}

// hide makes what a Secret holds known as secret.
func (w *workspace) hide(o map[string]any) {
	if marksOf(o) == nil {
		return
	}
	for _, part := range []string{"data", "stringData"} {
		w.secrets.AddAll(at(o, part))
		data, _ := at(o, part).(map[string]any)
		for _, value := range data {
			if text, ok := decoded(value); ok && part == "data" {
				w.secrets.AddAll(text)
			}
		}
	}
}

// unfilled is the error of a manifest that cannot be filled in.
func (w *workspace) unfilled(place *fillError) error {
	d := pipeline.Diagnostic{Summary: place.message, Where: place.where, Operator: place.next}
	failed := &pipeline.FailedError{Message: fmt.Sprintf("the manifests of %s cannot be filled in: %s", w.job.Target(), place.Error()), Next: pipeline.ProviderNext, Operator: place.next}
	if place.config != nil {
		d.Source, d.Exact = w.job.Variables.Locate(append([]string{"environments", string(w.job.Environment)}, place.config...)...)
		d.Remedy = fmt.Sprintf("add `%s:` at the top level of %s or under `environments.%s`; or the provider's manifest gives it a default", strings.Join(place.config, "."), d.Source.File, w.job.Environment)
		failed.Next = d.Remedy
	}
	w.filter.Diagnostic(&d)
	failed.Message = w.filter.Text(failed.Message)
	failed.Diagnostics = []pipeline.Diagnostic{d}
	w.log.Diagnostic(d)
	return failed
}

// allows reports whether objects may lie in a namespace.
func (w *workspace) allows(namespace string) bool {
	rule := w.job.Tool().Kubernetes
	for _, t := range append([]pipeline.Template{rule.Namespace}, rule.Namespaces...) {
		pattern := t.Fill(w.job.Target(), "")
		prefix, wild := strings.CutSuffix(pattern, "*")
		if pattern == namespace || wild && strings.HasPrefix(namespace, prefix) {
			return true
		}
	}
	return false
}

// checkPlaces refuses objects that the stack may not have, as far as the manifests tell.
func (w *workspace) checkPlaces() error {
	seen := map[ref]*object{}
	for _, o := range w.objects {
		if o.Namespace != "" && !w.allows(o.Namespace) {
			return w.misplaced(o, "lies in the namespace "+pipeline.Quote(o.Namespace)+", which the stack may not use", "write another namespace, or list it in kubernetes.namespaces of the stack")
		}
		if o.kind() == "Namespace" && !w.allows(o.Name) {
			return w.misplaced(o, "is a namespace that the stack may not use", "give it another name, or list it in kubernetes.namespaces of the stack")
		}
		if o.kind() == "ConfigMap" && o.Name == w.inventoryName() {
			return w.misplaced(o, "has the name of the inventory", "give it another name")
		}
		key := o.key()
		if key.Namespace == "" {
			key.Namespace = w.namespace
		}
		if other, twice := seen[key]; twice {
			return w.misplaced(o, "is there twice, first at "+other.where.String(), "keep one of the two")
		}
		seen[key] = o
	}
	return nil
}

// checkScope refuses an object that lies in no namespace, unless the stack lists its kind.
func (w *workspace) checkScope(o *object) error {
	if o.Namespace != "" || o.kind() == "Namespace" || slices.Contains(w.job.Tool().Kubernetes.ClusterKinds, o.kind()) {
		return nil
	}
	return w.misplaced(o, "lies in no namespace", fmt.Sprintf("leave it out, or list %s in kubernetes.cluster_kinds of the stack", o.kind()))
}

func (w *workspace) misplaced(o *object, what, next string) error {
	return &pipeline.FailedError{Message: fmt.Sprintf("%s of %s (%s) %s", w.filter.Name(o.ref.String()), w.job.Target(), o.where, what), Next: pipeline.ProviderNext, Operator: next,
		Permanent: true, Diagnostics: []pipeline.Diagnostic{{Summary: o.ref.String() + " " + what, Where: o.where, Operator: next}}}
}

// environ of a target of a fleet.
func (e *Engine) with(environ process.Environ) *Engine {
	o := e.options
	o.Environ, o.EnvironOf = environ, nil
	return New(o)
}
