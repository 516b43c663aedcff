package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Bounds of a prediction.
const (
	renderTime = time.Minute     // of one composite resource
	dialTime   = 5 * time.Second // until a function takes a connection
	maxRenders = 50
)

// predictor predicts what composite resources are composed of, with `crossplane render`.
type predictor struct {
	w       *workspace
	path    string // of the crossplane CLI
	files   renderFiles
	renders int
	tree    pipeline.Composition
	said    []string // warnings of functions
}

// predict notes what the composite resources that a plan changes would be composed of. The plan stays what it is: they
// alone are applied, and their prediction is no part of the fingerprint.
func (w *workspace) predict(ctx context.Context, c *comparison) error {
	rule := w.job.Tool().Kubernetes.Render
	if w.tool.name != crossplaneName || !rule.Declared() {
		return nil
	}
	var roots []item
	for _, i := range c.items {
		if i.object != nil && i.action != pipeline.ActionNone && isCustom(i.ref) {
			roots = append(roots, i)
		}
	}
	if len(roots) == 0 {
		return nil
	}
	p := &predictor{w: w}
	var err error
	if p.path, err = w.engine.findRenderer(ctx, w.job.Tool()); err != nil {
		return err
	}
	if p.files, err = readRenderFiles(w.tree, w.job.Root(), rule); err != nil {
		var place *fillError
		if errors.As(err, &place) {
			return pipeline.Usagef("%s: what Crossplane composes for %s cannot be predicted: %s", place.where, w.job.Target(), place.message).Nextf("%s", place.next)
		}
		return w.failed("read what predicts the composed resources", err)
	}
	if err := p.write(ctx); err != nil {
		return err
	}
	for _, root := range roots {
		if err := p.root(ctx, root); err != nil {
			return err
		}
	}
	w.refilter()
	c.composed, c.warnings = p.tree, p.said
	for _, o := range p.tree.Objects {
		w.log.Print(strings.Repeat("  ", o.Depth) + w.filter.Name("predicted: "+o.Address))
	}
	return nil
}

// write writes what the CLI reads, as it was checked, and looks whether the functions are there: the CLI would wait for
// one that is not until its time is over.
func (p *predictor) write(ctx context.Context) error {
	var functions []map[string]any
	for _, f := range p.files.functions {
		functions = append(functions, f.manifest)
		dialer := net.Dialer{Timeout: dialTime}
		connection, err := dialer.DialContext(ctx, "tcp", f.target)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return pipeline.Usagef("what Crossplane composes for %s cannot be predicted: the function %s does not listen at %s", p.w.job.Target(), f.name, f.target).Because(err).
				Nextf("start it before the plan, with --insecure and --address=%s, or take kubernetes.render out of the stack in %s", f.target, managerFile)
		}
		_ = connection.Close() // it was only asked for
	}
	_, err := p.w.writeList("functions.json", functions)
	return err
}

// root adds the tree of an object of the plan.
func (p *predictor) root(ctx context.Context, i item) error {
	composite, _ := clone(i.object.manifest).(map[string]any)
	metadata, _ := composite["metadata"].(map[string]any)
	delete(metadata, "namespace")
	if i.Namespace != "" {
		metadata["namespace"] = i.Namespace
	}
	root := pipeline.ComposedObject{Address: i.ref.String()}
	d := p.files.definitionOf(i.kind())
	if d == nil || d.claimKind != i.kind() {
		return p.below(ctx, i.object, composite, root)
	}
	// A claim is composed by way of a composite resource, whose name is generated.
	p.tree.Objects = append(p.tree.Objects, root)
	composite["kind"] = d.composite
	delete(metadata, "namespace")
	metadata["labels"] = with(metadata["labels"], map[string]any{"crossplane.io/claim-name": i.Name, "crossplane.io/claim-namespace": i.Namespace})
	spec := with(composite["spec"], map[string]any{"claimRef": map[string]any{"apiVersion": i.APIVersion, "kind": i.Kind, "name": i.Name, "namespace": i.Namespace}})
	delete(spec, "writeConnectionSecretToRef") // means something else there
	composite["spec"] = spec
	return p.below(ctx, i.object, composite, pipeline.ComposedObject{Address: refOf(composite).String() + "-…", Depth: 1})
}

func with(value any, more map[string]any) map[string]any {
	all, ok := clone(value).(map[string]any)
	if !ok {
		all = map[string]any{}
	}
	for key, e := range more {
		all[key] = e
	}
	return all
}

// below adds a composite resource and what it would be composed of. of is the object of the plan above it.
func (p *predictor) below(ctx context.Context, of *object, composite map[string]any, self pipeline.ComposedObject) error {
	c, err := p.files.compositionOf(composite)
	if err != nil {
		return p.rejected(of, fmt.Sprintf("it is not known what %s is composed by: %v", refOf(composite), err), "name one in spec.crossplane.compositionRef.name of the manifest")
	}
	if c == nil {
		if self.Depth == 0 || p.files.definitionOf(refOf(composite).kind()) != nil {
			self.State, self.Detail = pipeline.ComposedUnknown, "not predicted: kubernetes.render of the stack lists no composition for it"
		}
		p.tree.Objects = append(p.tree.Objects, self)
		return nil
	}
	p.tree.Objects = append(p.tree.Objects, self)
	if p.renders++; self.Depth >= maxComposedDepth || p.renders > maxRenders {
		p.tree.Cut = true
		return nil
	}
	out, err := p.render(ctx, of, composite, c)
	if err != nil {
		return err
	}
	p.said = append(p.said, out.warnings...)
	for _, one := range out.composed {
		if len(p.tree.Objects) >= maxComposed {
			p.tree.Cut = true
			return nil
		}
		p.w.hide(one.manifest)
		if one.generated { // any name will do for what it is composed of
			metadata, _ := one.manifest["metadata"].(map[string]any)
			metadata["name"] = one.Name
		}
		if err := p.below(ctx, of, one.manifest, pipeline.ComposedObject{Address: one.String(), Depth: self.Depth + 1, Resource: one.resource}); err != nil {
			return err
		}
	}
	return nil
}

func (p *predictor) rejected(of *object, text, operator string) error {
	d := p.w.diagnose(of, text)
	if d.Source.File == "" { // or else the customer changes the value
		d.Operator = operator
	}
	return p.w.rejected("the prediction of what is composed", []pipeline.Diagnostic{d})
}

// render runs the CLI on one composite resource.
func (p *predictor) render(ctx context.Context, of *object, composite map[string]any, c *composition) (rendered, error) {
	w := p.w
	xr, err := w.writeList("composite.json", []map[string]any{composite})
	if err != nil {
		return rendered{}, err
	}
	file, err := w.writeList("composition.json", []map[string]any{c.manifest})
	if err != nil {
		return rendered{}, err
	}
	args := []string{"render", xr, file, filepath.Join(w.private, "functions.json"), "--include-function-results", "--timeout=" + renderTime.String()}
	if d := p.files.definitionOf(refOf(composite).kind()); d != nil {
		name, err := w.writeList("definition.json", []map[string]any{d.manifest})
		if err != nil {
			return rendered{}, err
		}
		args = append(args, "--xrd="+name)
	}
	limited, cancel := context.WithTimeout(ctx, renderTime+dialTime)
	defer cancel()
	raw, said, err := p.run(limited, args)
	w.refilter()
	switch {
	case ctx.Err() != nil:
		return rendered{}, ctx.Err()
	case limited.Err() != nil:
		return rendered{}, p.rejected(of, fmt.Sprintf("crossplane render took longer than %s", renderTime), "look what the functions of the Composition "+c.name+" wait for")
	case err != nil && said != "":
		return rendered{}, p.rejected(of, said, "correct the value or the Composition "+c.name+", or look at its functions")
	case err != nil:
		return rendered{}, p.rejected(of, "crossplane render: "+err.Error(), "run crossplane render by hand")
	}
	out, err := parseRendered(raw, refOf(composite))
	if err != nil {
		return out, p.rejected(of, "what crossplane render has printed cannot be read: "+err.Error(), "look at the functions of the Composition "+c.name)
	}
	return out, nil
}

// run starts the CLI with nothing of the environment but a home: it needs none, and whatever is in it could send it to
// a container engine or a proxy.
func (p *predictor) run(ctx context.Context, args []string) (out []byte, said string, err error) {
	var files [2]*os.File
	for i, name := range []string{"render-out", "render-err"} {
		if files[i], err = os.OpenFile(filepath.Join(p.w.private, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600); err != nil {
			return nil, "", p.w.written("record the output of "+crossplaneName, err)
		}
		defer func() { _ = files[i].Close() }() // what is read of it is read by then
	}
	err = process.Process{Path: p.path, Args: args, Dir: p.w.private, Env: []string{"HOME=" + filepath.Join(p.w.dir, "home"), "PWD=" + p.w.private}, Stdout: files[0], Stderr: files[1], WaitDelay: p.w.engine.options.WaitDelay}.Run(ctx)
	stderr, readErr := head(files[1], maxStderr)
	if err != nil || readErr != nil {
		return nil, strings.TrimPrefix(strings.TrimSpace(string(stderr)), "crossplane: error: "), errors.Join(err, readErr)
	}
	if out, err = head(files[0], maxManifest+1); err == nil && len(out) > maxManifest {
		err = fmt.Errorf("it has printed more than %d bytes", maxManifest)
	}
	return out, "", err
}

// head is the beginning of a file.
func head(file *os.File, most int64) ([]byte, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, most))
}
