package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Apply implements pipeline.Engine. Nothing is written before artifacts, tool, tree, variables,
// cluster, inventory and each object that changes were compared with the plan. Each write then
// names the version of the object that it is made on.
func (e *Engine) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Applied{}, fmt.Errorf("apply %s: %w", job.Target(), err)
	}
	if err := checkStored(plan); err != nil {
		return pipeline.Applied{}, err
	}
	ctx, cancel := process.WithLimit(ctx, "apply", job.Customer.Manager.Limits.ApplyTimeout)
	defer cancel()
	applied, err := e.apply(ctx, job, plan)
	if err != nil && ctx.Err() != nil {
		done := ""
		if applied.Started {
			done = doneText(applied.Done) + "; " + plan.Receipt.Mode.Afresh()
		}
		return applied, process.Stopped(ctx, job.Target(), "apply", done)
	}
	return applied, err
}

func doneText(done []pipeline.AppliedResource) string {
	return pipeline.DoneText(done, "object was changed", "objects were changed")
}

func (e *Engine) apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	tool, err := e.sameTool(ctx, job, plan.Receipt)
	if err != nil {
		return pipeline.Applied{}, err
	}
	w, err := e.open(ctx, job, tool, &plan.Receipt)
	defer w.close()
	if err != nil {
		return pipeline.Applied{}, err
	}
	r, err := w.begin(ctx, plan)
	if err != nil {
		return pipeline.Applied{}, err
	}
	err = r.carryOut(ctx)
	if !r.started {
		return pipeline.Applied{}, err
	}
	err = r.settle(ctx, err)
	applied := pipeline.Applied{Done: r.done, Outputs: r.outputs, Diagnostics: r.diagnostics, Composed: r.composed, Started: true}
	if r.written {
		state := r.inventory.record()
		applied.State = &state
	}
	for i := range applied.Done {
		applied.Done[i].Address = w.filter.Name(applied.Done[i].Address)
	}
	var failed *pipeline.FailedError
	if errors.As(err, &failed) {
		applied.Diagnostics = append(failed.Diagnostics, applied.Diagnostics...)
		failed.Message += "; " + doneText(r.done)
		if failed.Operator != "" {
			failed.Operator += "; then " + plan.Receipt.Mode.OperatorAfresh()
		} else {
			failed.Next += "; then " + plan.Receipt.Mode.Afresh()
		}
	}
	return applied, err
}

// run is an apply.
type run struct {
	w         *workspace
	mode      pipeline.Mode
	plan      sealedPlan
	now       found // what there is
	inventory inventory

	started     bool // something may have been written
	written     bool // the inventory is what the cluster holds
	deleted     bool // what is to be deleted is
	done        []pipeline.AppliedResource
	outputs     []pipeline.Output
	diagnostics []pipeline.Diagnostic
	composed    pipeline.Composition
}

// begin reads what there is, and refuses a plan that was made on something else.
func (w *workspace) begin(ctx context.Context, plan pipeline.StoredPlan) (*run, error) {
	raw, err := os.ReadFile(plan.Artifacts[artifactObjects])
	if err != nil {
		return nil, w.failed("read the plan", err)
	}
	r := &run{w: w, mode: plan.Receipt.Mode, now: found{}}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&r.plan); err != nil {
		return nil, w.failed("read the plan", err)
	}
	for _, o := range r.plan.Objects {
		w.hide(o.Manifest)
		r.object(o.ref).ref = o.ref // the plan knows its namespace
	}
	for _, e := range r.plan.Kept {
		r.object(e.ref).ref = e.ref
	}
	w.refilter()
	if err := r.read(ctx, r.plan.Objects); err != nil {
		return nil, err
	}
	stale := func(format string, args ...any) error {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: w.filter.Name(fmt.Sprintf(format, args...)), Next: r.mode.Afresh(), Operator: r.mode.Restart()}
	}
	if o, there := r.now[w.inventoryRef().key()]; there {
		if r.inventory, err = w.readInventory(o); err != nil {
			return nil, err
		}
	}
	if r.inventory.state() != plan.Receipt.Evidence.State() {
		return nil, stale("something else was applied to %s since the plan", w.job.Target())
	}
	for _, o := range r.plan.Objects {
		now, there := r.now[o.key()]
		switch {
		case o.UID == "" && there:
			return nil, stale("%s is there by now, and the plan creates it", o.ref)
		case o.UID != "" && !there:
			return nil, stale("%s is not there any more", o.ref)
		case o.UID != "" && (textAt(now, "metadata", "uid") != o.UID || digest(now) != o.Digest):
			return nil, stale("%s has changed since the plan", o.ref)
		}
	}
	return r, nil
}

// read reads the inventory and objects as they are now.
func (r *run) read(ctx context.Context, objects []sealedObject) error {
	ids := []map[string]any{r.w.inventoryRef().identity()}
	var late []map[string]any
	for _, o := range objects {
		if o.Late {
			late = append(late, o.identity())
		} else {
			ids = append(ids, o.identity())
		}
	}
	file, err := r.w.writeList("there.json", ids)
	if err != nil {
		return err
	}
	all, c, err := r.w.get(ctx, file)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.w.unreachable("the look at the cluster before the apply", c, err)
	}
	some, err := r.w.getEach(ctx, late)
	if err != nil {
		return r.w.failed("look at the cluster before the apply", err)
	}
	for _, o := range append(all, some...) {
		r.w.hide(o)
	}
	r.w.refilter()
	delete(r.now, r.w.inventoryRef().key())
	for _, o := range objects {
		delete(r.now, o.key())
	}
	r.now.add(all)
	r.now.add(some)
	return nil
}

// carryOut writes the inventory of what will be there, and then the objects.
func (r *run) carryOut(ctx context.Context) error {
	w := r.w
	var phases [phaseOthers + 1][]sealedObject
	var deletes []sealedObject
	for _, o := range r.plan.Objects {
		if o.Manifest == nil {
			deletes = append(deletes, o)
		} else {
			phases[o.phase()] = append(phases[o.phase()], o)
		}
	}
	// The inventory cannot lie in a namespace that is not there yet.
	if i := slices.IndexFunc(phases[phaseNamespaces], func(o sealedObject) bool { return o.Name == w.namespace && o.UID == "" }); i >= 0 && r.inventory.uid == "" {
		first := phases[phaseNamespaces][i]
		phases[phaseNamespaces] = slices.Delete(phases[phaseNamespaces], i, i+1)
		if err := r.apply(ctx, []sealedObject{first}); err != nil {
			return err
		}
	}
	known := map[ref]bool{}
	for _, e := range r.inventory.Objects {
		known[e.key()] = true
	}
	next := r.inventory
	next.Objects = slices.Clone(next.Objects)
	next.Serial++
	for _, o := range r.plan.Objects {
		if o.Manifest != nil && !known[o.key()] {
			next.Objects = append(next.Objects, entry{o.ref, o.UID})
		}
	}
	for _, e := range r.plan.Kept {
		if !known[e.key()] {
			next.Objects = append(next.Objects, e)
		}
	}
	if err := w.keep(ctx, &next); err != nil {
		return r.notKept(ctx, err)
	}
	r.inventory, r.started, r.written = next, true, true
	for phase, objects := range phases {
		if err := r.apply(ctx, objects); err != nil {
			return err
		}
		if phase == phaseDefinitions && len(objects) > 0 {
			if err := r.established(ctx, objects); err != nil {
				return err
			}
		}
	}
	return r.delete(ctx, deletes)
}

// notKept is the error of an inventory that could not be written.
func (r *run) notKept(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *inventoryError
	if !errors.As(err, &e) {
		return r.w.failed("write the inventory", err)
	}
	if e.taken() && !r.started {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Next: r.mode.Afresh(), Operator: r.mode.Restart(),
			Message: fmt.Sprintf("something else was applied to %s since the plan", r.w.job.Target())}
	}
	d := r.w.diagnose(nil, strings.Join(said(e.said), "\n"))
	d.Operator = fmt.Sprintf("let the user of the kubeconfig get, create, update and delete the ConfigMap %s in the namespace %s", r.w.inventoryName(), r.w.namespace)
	return r.w.rejected("the apply", []pipeline.Diagnostic{d})
}

// object is the manifest of the root behind what is applied, for diagnostics.
func (r *run) object(o ref) *object {
	for _, one := range r.w.objects {
		if one.kind() == o.kind() && one.Name == o.Name && (one.Namespace == o.Namespace || one.Namespace == "" || o.Namespace == "") {
			return one
		}
	}
	return &object{ref: o}
}

// maxTries bounds how often an object is sent again that only its status has changed of.
const maxTries = 4

// inTurns splits objects so that kubectl prints no name twice in one call: it leaves out the
// namespace.
func inTurns(objects []sealedObject) (turns [][]sealedObject) {
	printed := map[string]bool{}
	for _, o := range objects {
		if len(turns) == 0 || printed[o.printed()] {
			turns = append(turns, nil)
			clear(printed)
		}
		printed[o.printed()] = true
		turns[len(turns)-1] = append(turns[len(turns)-1], o)
	}
	return turns
}

// apply sends objects in their order.
func (r *run) apply(ctx context.Context, objects []sealedObject) error {
	var all []pipeline.Diagnostic
	for _, objects := range inTurns(objects) {
		for try := 1; len(objects) > 0; try++ {
			left, problems, err := r.applyOnce(ctx, objects, try == maxTries)
			if err != nil {
				return err
			}
			all, objects = append(all, problems...), left
		}
	}
	if len(all) > 0 {
		return r.w.rejected("the apply", all)
	}
	return nil
}

// applyOnce returns the objects that can be sent again: something has written to them in
// between, and what is asked of them is as it was.
func (r *run) applyOnce(ctx context.Context, objects []sealedObject, last bool) (again []sealedObject, problems []pipeline.Diagnostic, err error) {
	var manifests []map[string]any
	for _, o := range objects {
		manifest := r.w.labeled(&object{ref: o.ref, manifest: o.Manifest})
		if now, there := r.now[o.key()]; there {
			metadata, _ := manifest["metadata"].(map[string]any)
			metadata["uid"], metadata["resourceVersion"] = textAt(now, "metadata", "uid"), textAt(now, "metadata", "resourceVersion")
		}
		manifests = append(manifests, manifest)
	}
	file, err := r.w.writeList("apply.json", manifests)
	if err != nil {
		return nil, nil, err
	}
	c, left := r.write(ctx, objects, append(applyArgs(file), "-o", "name"))
	if c.err == nil && len(left) == 0 {
		return nil, nil, nil
	}
	if err := r.broken(ctx, c, left); err != nil {
		return nil, nil, err
	}
	errs := said(c.stderr)
	if !last && slices.ContainsFunc(errs, func(s string) bool { return strings.Contains(s, "the object has been modified") }) {
		if err := r.read(ctx, left); err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(left, func(o sealedObject) bool {
			now := r.now[o.key()]
			return textAt(now, "metadata", "uid") != o.UID || o.UID != "" && digest(now) != o.Digest
		}) {
			return left, nil, nil
		}
	}
	return nil, r.failures(left, errs), nil
}

// write runs kubectl on objects and notes each that it has said it has changed. left are the
// others.
func (r *run) write(ctx context.Context, objects []sealedObject, args []string) (c call, left []sealedObject) {
	next, printed := 0, map[int]bool{}
	r.started = r.started || ctx.Err() == nil
	c = r.w.kubectl(ctx, func(line []byte) {
		for i := next; i < len(objects); i++ {
			if objects[i].printed() == string(line) {
				printed[i] = true
				next = i + 1
				r.done = append(r.done, pipeline.AppliedResource{Address: objects[i].ref.String(), Action: objects[i].Action})
				r.w.log.Print(fmt.Sprintf("%s: %sd", objects[i].ref, objects[i].Action))
				return
			}
		}
	}, args...)
	for i, o := range objects {
		if !printed[i] {
			left = append(left, o)
		}
	}
	return c, left
}

// broken is the error of a kubectl that did not get to its end: the next object may have been
// changed.
func (r *run) broken(ctx context.Context, c call, left []sealedObject) error {
	var exit *process.ExitError
	if errors.As(c.err, &exit) && exit.Code > 0 && ctx.Err() == nil {
		return nil
	}
	if len(left) > 0 && r.started {
		r.done = append(r.done, pipeline.AppliedResource{Address: left[0].ref.String(), Action: left[0].Action, Unfinished: true})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.err == nil {
		return r.w.failed("apply", fmt.Errorf("%s ended well and has not named %d of its objects", program, len(left)))
	}
	return &pipeline.FailedError{Message: fmt.Sprintf("the apply of %s was broken off", r.w.job.Target()), Next: pipeline.ProviderNext, Operator: "look why " + program + " ended", Err: c.err}
}

// failures are the objects that kubectl could not change.
func (r *run) failures(left []sealedObject, errs []string) []pipeline.Diagnostic {
	var problems []pipeline.Diagnostic
	for _, o := range left {
		r.done = append(r.done, pipeline.AppliedResource{Address: o.ref.String(), Action: o.Action, Failed: true})
	}
	for i, text := range errs {
		var of *object
		if len(errs) == len(left) {
			of = r.object(left[i].ref)
		}
		problems = append(problems, r.w.diagnose(of, text))
	}
	if len(problems) == 0 {
		problems = append(problems, r.w.diagnose(nil, program+" has failed and not said why"))
	}
	return problems
}

// delete deletes objects, which may take longer than this.
func (r *run) delete(ctx context.Context, objects []sealedObject) error {
	var all []pipeline.Diagnostic
	for _, objects := range inTurns(objects) {
		var ids []map[string]any
		for _, o := range objects {
			ids = append(ids, o.identity())
		}
		file, err := r.w.writeList("delete.json", ids)
		if err != nil {
			return err
		}
		c, left := r.write(ctx, objects, []string{"delete", "-f", file, "--wait=false", "--ignore-not-found", "-o", "name"})
		if c.err == nil {
			continue
		}
		if err := r.broken(ctx, c, left); err != nil {
			return err
		}
		all = append(all, r.failures(left, said(c.stderr))...)
	}
	if len(all) > 0 {
		return r.w.rejected("the apply", all)
	}
	r.deleted = len(objects) > 0
	return nil
}

// settle looks at what there is after the apply, waits until it is ready, reads the outputs and
// writes the inventory. cause is why the apply did not get to its end; it is looked at all the
// same, in bounded time.
func (r *run) settle(ctx context.Context, cause error) error {
	after := ctx
	if cause != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTime)
		defer cancel()
		after = bounded
	}
	all := r.all()
	err := r.read(after, all)
	if err == nil && cause == nil {
		cause = r.elsewhere()
	}
	if err == nil && cause == nil {
		cause = r.wait(ctx, all)
		if ctx.Err() != nil {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTime)
			defer cancel()
			after = bounded
		}
	}
	if err == nil {
		err = r.keepAfter(after, all)
	}
	if err == nil {
		err = r.readOutputs(after)
	}
	if err != nil && cause == nil {
		return r.w.failed("look at what the apply has left", err)
	}
	if err != nil {
		r.w.log.Print("what the apply has left could not be looked at: " + err.Error())
	}
	return cause
}

// found is an object as it was read, and where it lies: the server looks for one of a kind without
// namespaces in none, whatever it was asked.
func (r *run) found(o ref) (now map[string]any, at ref) {
	for _, namespace := range []string{o.Namespace, "", r.w.namespace} {
		at = o
		at.Namespace = namespace
		if now := r.now[at.key()]; now != nil && (namespace == o.Namespace || o.Namespace == "" || namespace == "") {
			return now, at
		}
	}
	return nil, o
}

// elsewhere is the error of objects that the server has put elsewhere than planned.
func (r *run) elsewhere() error {
	var problems []pipeline.Diagnostic
	for _, o := range r.plan.Objects {
		now, at := r.found(o.ref)
		if o.Manifest == nil || now == nil || at == o.ref {
			continue
		}
		d := r.w.diagnose(r.object(o.ref), fmt.Sprintf("the plan has it in %s, and the server has put it in %s", inNamespace(o.Namespace), inNamespace(at.Namespace)))
		d.Operator = "look who has changed the definition of its kind, and plan again"
		problems = append(problems, d)
	}
	if len(problems) == 0 {
		return nil
	}
	return r.w.rejected("the apply", problems)
}

func inNamespace(namespace string) string {
	if namespace == "" {
		return "no namespace"
	}
	return "the namespace " + namespace
}

// all are the objects that the target has, or had.
func (r *run) all() []sealedObject {
	var all []sealedObject
	seen := map[ref]bool{}
	for _, o := range r.plan.Objects {
		seen[o.key()] = true
		all = append(all, o)
	}
	for _, e := range append(slices.Clone(r.plan.Kept), r.inventory.Objects...) {
		if !seen[e.key()] {
			seen[e.key()] = true
			all = append(all, sealedObject{ref: e.ref, Action: pipeline.ActionNone, Late: true})
		}
	}
	return all
}

// keepAfter writes the inventory of what there is. A destroy that has left nothing leaves no
// inventory either.
func (r *run) keepAfter(ctx context.Context, all []sealedObject) error {
	if !r.written {
		return nil
	}
	next := r.inventory
	next.Objects = nil
	for _, o := range all {
		if now, at := r.found(o.ref); textAt(now, "metadata", "labels", partOfLabel) == r.w.applySet() && !slices.ContainsFunc(next.Objects, func(e entry) bool { return e.key() == at.key() }) {
			next.Objects = append(next.Objects, entry{at, textAt(now, "metadata", "uid")})
		}
	}
	if r.w.job.Destroy && r.deleted && len(next.Objects) == 0 {
		c := r.w.kubectl(ctx, nil, "delete", "configmap", r.w.inventoryName(), "--namespace="+r.w.namespace, "--ignore-not-found", "--wait=false")
		if c.err != nil {
			return fmt.Errorf("delete the inventory: %w", c.err)
		}
		r.inventory = next
		return nil
	}
	if slices.Equal(sorted(next.Objects), sorted(r.inventory.Objects)) {
		return nil
	}
	if err := r.w.keep(ctx, &next); err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	r.inventory = next
	return nil
}

func sorted(entries []entry) []entry {
	s := slices.Clone(entries)
	slices.SortFunc(s, func(a, b entry) int { return a.compare(b.ref) })
	return s
}
