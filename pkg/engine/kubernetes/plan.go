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
	"sync"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Plan implements pipeline.Engine: it has the server apply the manifests in a dry run. It takes
// no lock and writes nothing, so that each plan is one for reading.
func (e *Engine) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planWith(ctx, job, false)
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planWith(ctx, job, false)
}

// planWith plans. With force, the dry run takes fields that others have set since: that shows
// what differs, and is never applied.
func (e *Engine) planWith(ctx context.Context, job pipeline.Job, force bool) (pipeline.Planned, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", job.Target(), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := e.plan(ctx, job, force)
	if err != nil && ctx.Err() != nil {
		err = process.Stopped(ctx, job.Target(), "plan", "")
	}
	if err != nil {
		planned.Plan.Exactness, planned.Artifacts, planned.Fingerprint = "", nil, ""
	}
	return planned, err
}

func (e *Engine) plan(ctx context.Context, job pipeline.Job, force bool) (pipeline.Planned, error) {
	tool, err := e.find(ctx, job.Tool())
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned := pipeline.Planned{Evidence: newEvidence(tool.tool()), Plan: pipeline.Plan{Tool: tool.tool()}}
	failed := func(err error) (pipeline.Planned, error) {
		var f *pipeline.FailedError
		if errors.As(err, &f) {
			planned.Plan.Diagnostics, planned.Plan.Errored = f.Diagnostics, true
		}
		return planned, err
	}
	w, err := e.open(ctx, job, tool, nil)
	defer w.close()
	if err != nil {
		return failed(err)
	}
	planned.Evidence = w.evidence
	c, err := w.compare(ctx, force)
	if err != nil {
		return failed(err)
	}
	planned.Evidence.SetState(c.inventory.state())
	planned.Resources = len(c.inventory.Objects)
	if !force { // a scan for drift asks what differs, and not what would come of it
		if err := w.predict(ctx, c); err != nil {
			return failed(err)
		}
	}
	if planned.Plan, planned.Fingerprint, err = w.model(c); err != nil {
		return failed(err)
	}
	raw, err := json.Marshal(c.sealed())
	if err != nil {
		return planned, w.failed("keep the plan", err)
	}
	file := filepath.Join(job.Dir, "objects.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return planned, w.written("keep the plan", err)
	}
	planned.Artifacts = pipeline.Artifacts{artifactObjects: file}
	if err := w.keepOutputs(ctx, c); err != nil {
		return failed(err)
	}
	return planned, nil
}

// item is one object of a plan.
type item struct {
	ref
	action   pipeline.Action
	object   *object        // nil: it is deleted
	before   map[string]any // as it is; nil: it is not there
	after    map[string]any // as the dry run leaves it; nil: there was none
	deferred string         // why there was none
}

// comparison is what a target wants, beside what there is.
type comparison struct {
	items     []item
	inventory inventory
	dropped   []string // of the inventory, but not the target's any more
	taken     []string // of nobody, which the target takes over
	composed  pipeline.Composition
	warnings  []string // of the functions that have predicted it
}

// digest is a sum of what is asked of an object.
func digest(o map[string]any) string {
	return pipeline.SHA256Hex(jsonvalue.Canonical(nil, asked(o)))
}

// found is what there is in the cluster, by its key.
type found map[ref]map[string]any

func (f found) add(objects []map[string]any) {
	for _, o := range objects {
		f[refOf(o).key()] = o
	}
}

// compare asks the server what there is and what an apply would make of it, at once.
func (w *workspace) compare(ctx context.Context, force bool) (*comparison, error) {
	c := &comparison{}
	live, late, results, err := w.look(ctx, force)
	for try := 1; err == nil && w.moved(live, results) != nil && try < maxTries; try++ {
		live, late, results, err = w.look(ctx, force)
	}
	if err != nil {
		return nil, err
	}
	if o := w.moved(live, results); o != nil {
		return nil, &pipeline.FailedError{Message: fmt.Sprintf("plan %s: %s changes all the time, so that no dry run is of what is there", w.job.Target(), o.ref),
			Next: "run it again", Operator: "look what writes to it, and run it again"}
	}
	if o, there := live[w.inventoryRef().key()]; there {
		if c.inventory, err = w.readInventory(o); err != nil {
			return nil, err
		}
	}
	wanted := map[ref]bool{}
	for _, o := range w.objects {
		if after := results[o]; after != nil {
			o.Namespace = textAt(after, "metadata", "namespace")
		} else if o.Namespace == "" {
			if err := w.readScopes(ctx); err != nil {
				return nil, err
			}
			namespaced, err := w.namespaced(o)
			if err != nil {
				return nil, err
			}
			if namespaced {
				o.Namespace = w.namespace
			}
		}
		if err := w.checkScope(o); err != nil {
			return nil, err
		}
		if wanted[o.key()] {
			return nil, w.misplaced(o, "is there twice, since its kind has no namespaces", "keep one of the two")
		}
		wanted[o.key()] = true
		one := item{ref: o.ref, object: o, before: live[o.key()], after: results[o], deferred: late[o], action: pipeline.ActionUpdate}
		switch owner := textAt(one.before, "metadata", "labels", partOfLabel); {
		case one.before == nil:
			one.action = pipeline.ActionCreate
		case one.after != nil && jsonvalue.Equal(asked(one.before), asked(one.after)):
			one.action = pipeline.ActionNone
		case owner == "":
			c.taken = append(c.taken, o.ref.String())
		}
		c.items = append(c.items, one)
	}
	return c, w.remove(ctx, c, wanted)
}

// moved is an object that was changed between the look at it and the dry run; nil where there
// is none. A dry run shows the version that it was made on.
func (w *workspace) moved(live found, results map[*object]map[string]any) *object {
	for _, o := range w.objects {
		after := results[o]
		if after == nil {
			continue
		}
		if before := live[refOf(after).key()]; textAt(before, "metadata", "resourceVersion") != textAt(after, "metadata", "resourceVersion") {
			return o
		}
	}
	return nil
}

// readScopes asks the server which kinds lie in a namespace, once.
func (w *workspace) readScopes(ctx context.Context) error {
	if w.scopes != nil {
		return nil
	}
	c := w.kubectl(ctx, nil, "api-resources", "--no-headers")
	raw, err := os.ReadFile(c.stdout)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return w.failed("ask which kinds there are", err)
	}
	w.scopes = parseScopes(string(raw))
	if c.err != nil && len(w.scopes) == 0 { // a part of the kinds is enough where it has those of the stack
		w.scopes = nil
		return w.unreachable("the question which kinds there are", c, c.err)
	}
	return nil
}

// parseScopes reads a table whose last columns are the version of the API, whether objects lie in
// a namespace, and the kind.
func parseScopes(table string) map[string]bool {
	scopes := map[string]bool{}
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if n := len(columns); n >= 4 && (columns[n-2] == "true" || columns[n-2] == "false") {
			scopes[ref{APIVersion: columns[n-3], Kind: columns[n-1]}.kind()] = columns[n-2] == "true"
		}
	}
	return scopes
}

// namespaced reports whether an object lies in a namespace: as the server says of its kind or,
// where the plan makes the kind, as its definition does.
func (w *workspace) namespaced(o *object) (bool, error) {
	if namespaced, known := w.scopes[o.kind()]; known {
		return namespaced, nil
	}
	for _, d := range w.objects {
		if kinds, clusterScoped := d.defines(); slices.Contains(kinds, o.kind()) {
			return !clusterScoped || kinds[0] != o.kind(), nil
		}
	}
	return false, w.rejected("plan", []pipeline.Diagnostic{w.diagnose(o, fmt.Sprintf("the cluster does not say whether the kind %s of %s lies in a namespace", o.Kind, o.APIVersion))})
}

// place takes the namespace from objects whose kind has none, whatever the manifest says.
func (w *workspace) place() error {
	for _, o := range w.objects {
		if o.Namespace == "" {
			continue
		}
		namespaced, err := w.namespaced(o)
		if err != nil {
			return err
		}
		if !namespaced {
			o.Namespace = ""
		}
		if err := w.checkScope(o); err != nil {
			return err
		}
	}
	return nil
}

// remove finds what the inventory lists and the manifests do not: it is deleted, where it is
// still the target's.
func (w *workspace) remove(ctx context.Context, c *comparison, wanted map[ref]bool) error {
	var ids []map[string]any
	for _, e := range c.inventory.Objects {
		switch {
		case wanted[e.key()]:
		case e.Namespace != "" && !w.allows(e.Namespace), e.Namespace == "" && w.checkScope(&object{ref: e.ref}) != nil, e.kind() == "Namespace" && !w.allows(e.Name):
			c.dropped = append(c.dropped, e.ref.String()+" lies where the stack may not delete")
		default:
			ids = append(ids, e.identity())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	file, err := w.writeList("removed.json", ids)
	if err != nil {
		return err
	}
	objects, asking, err := w.get(ctx, file)
	if err != nil && strings.Contains(asking.stderr, "no matches for kind") {
		objects, err = w.getEach(ctx, ids)
	}
	if err != nil {
		return w.unreachable("the look at what is to be deleted", asking, err)
	}
	var removed []item
	for _, o := range objects {
		w.hide(o)
		r := refOf(o)
		if textAt(o, "metadata", "labels", partOfLabel) != w.applySet() {
			c.dropped = append(c.dropped, r.String()+" is not marked as the target's any more")
			continue
		}
		removed = append(removed, item{ref: r, action: pipeline.ActionDelete, before: o})
	}
	w.refilter()
	// What others need goes last.
	slices.SortStableFunc(removed, func(a, b item) int { return b.phase() - a.phase() })
	c.items = append(c.items, removed...)
	return nil
}

// getEach is get where the kind of some objects is gone, and they with it.
func (w *workspace) getEach(ctx context.Context, ids []map[string]any) (all []map[string]any, err error) {
	for _, id := range ids {
		file, err := w.writeList("one.json", []map[string]any{id})
		if err != nil {
			return nil, err
		}
		objects, c, err := w.get(ctx, file)
		if err != nil && !strings.Contains(c.stderr, "no matches for kind") {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// dryRun has the server apply the manifests of a file without keeping them.
func (w *workspace) dryRun(ctx context.Context, objects []*object, name string, force bool) ([]map[string]any, call, error) {
	var manifests []map[string]any
	for _, o := range objects {
		manifests = append(manifests, w.labeled(o))
	}
	file, err := w.writeList(name, manifests)
	if err != nil {
		return nil, call{}, err
	}
	args := append(applyArgs(file), "--dry-run=server", "-o", "json", "--show-managed-fields")
	if force {
		args = append(args, "--force-conflicts")
	}
	c := w.kubectl(ctx, nil, args...)
	if c.err != nil {
		return nil, c, c.err
	}
	results, err := c.objects()
	if err == nil && len(results) != len(objects) {
		err = fmt.Errorf("%s has shown %d of %d objects", program, len(results), len(objects))
	}
	return results, c, err
}

func applyArgs(file string) []string {
	return []string{"apply", "-f", file, "--server-side", "--field-manager=" + fieldManager, "--validate=strict"}
}

// look reads what there is, and has the manifests applied in a dry run. late are the objects
// that need something which the plan itself makes.
func (w *workspace) look(ctx context.Context, force bool) (live found, late map[*object]string, results map[*object]map[string]any, err error) {
	live, late, results = found{}, map[*object]string{}, map[*object]map[string]any{}
	var wg sync.WaitGroup
	var dry []map[string]any
	var dryErr error
	if len(w.objects) > 0 {
		wg.Go(func() { dry, _, dryErr = w.dryRun(ctx, w.objects, "wanted.json", force) })
	}
	var scopesErr error
	names := slices.ContainsFunc(w.objects, func(o *object) bool { return o.Namespace != "" })
	if names {
		wg.Go(func() { scopesErr = w.readScopes(ctx) })
	}
	objects, c, err := w.getAll(ctx, late)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, nil, nil, ctx.Err()
	}
	if err != nil && strings.Contains(c.stderr, "no matches for kind") {
		if err := w.undefined(c.stderr, late); err != nil {
			return nil, nil, nil, err
		}
		objects, c, err = w.getAll(ctx, late)
	}
	if err != nil {
		return nil, nil, nil, w.unreachable("the look at the cluster", c, err)
	}
	for _, o := range append(objects, dry...) {
		w.hide(o)
	}
	w.refilter()
	live.add(objects)
	if names {
		if err := scopesErr; err != nil {
			return nil, nil, nil, err
		}
		if err := w.place(); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := w.checkOwners(live); err != nil {
		return nil, nil, nil, err
	}
	if dryErr == nil {
		for i, o := range w.objects {
			results[o] = dry[i]
		}
		return live, late, results, nil
	}
	return live, late, results, w.lookCloser(ctx, live, late, results, force)
}

// checkOwners refuses objects that belong to others.
func (w *workspace) checkOwners(live found) error {
	for _, o := range w.objects {
		key := o.key()
		for _, namespace := range []string{key.Namespace, w.namespace} {
			key.Namespace = namespace
			if owner := textAt(live[key], "metadata", "labels", partOfLabel); owner != "" && owner != w.applySet() {
				return w.misplaced(o, "belongs to another target or to another tool, whose apply set is "+pipeline.Quote(owner), "give it another name, or remove it there")
			}
			if o.Namespace != "" {
				break
			}
		}
	}
	return nil
}

// getAll reads all objects that can be there, and the inventory.
func (w *workspace) getAll(ctx context.Context, late map[*object]string) ([]map[string]any, call, error) {
	ids := []map[string]any{w.inventoryRef().identity()}
	for _, o := range w.objects {
		if late[o] == "" {
			ids = append(ids, o.identity())
		}
	}
	file, err := w.writeList("there.json", ids)
	if err != nil {
		return nil, call{}, err
	}
	return w.get(ctx, file)
}

var unmatched = text.Pattern(`no matches for kind "([^"]+)" in version "([^"]+)"`)

// undefined notes the objects whose kind the plan itself makes known. Others are an error.
func (w *workspace) undefined(stderr string, late map[*object]string) error {
	defined := map[string]bool{}
	for _, o := range w.objects {
		kinds, _ := o.defines()
		for _, kind := range kinds {
			defined[kind] = true
		}
	}
	for _, m := range unmatched().FindAllStringSubmatch(stderr, -1) {
		for _, o := range w.objects {
			if o.Kind != m[1] || o.APIVersion != m[2] {
				continue
			}
			if !defined[o.kind()] {
				return w.rejected("plan", []pipeline.Diagnostic{w.diagnose(o, fmt.Sprintf("the cluster does not know the kind %s of %s", o.Kind, o.APIVersion))})
			}
			late[o] = "its kind " + o.kind()
		}
	}
	if len(late) == 0 {
		return w.rejected("plan", []pipeline.Diagnostic{w.diagnose(nil, strings.Join(said(stderr), "\n"))})
	}
	return nil
}

var noNamespace = text.Pattern(`namespaces "([^"]+)" not found`)

// lookCloser has objects applied in a dry run where not all of them can be. One that needs a
// namespace or a kind which the plan itself makes is late.
func (w *workspace) lookCloser(ctx context.Context, live found, late map[*object]string, results map[*object]map[string]any, force bool) error {
	made := map[string]bool{}
	for _, o := range w.objects {
		if o.kind() == "Namespace" && live[o.key()] == nil {
			made[o.Name] = true
		}
	}
	var rest []*object
	for _, o := range w.objects {
		if late[o] == "" && made[o.Namespace] {
			late[o] = "its namespace " + o.Namespace
		}
		if late[o] == "" {
			rest = append(rest, o)
		}
	}
	if len(rest) < len(w.objects) && len(rest) > 0 {
		if dry, _, err := w.dryRun(ctx, rest, "wanted.json", force); err == nil {
			for i, o := range rest {
				w.hide(dry[i])
				results[o] = dry[i]
			}
			w.refilter()
			return nil
		}
	}
	var problems []pipeline.Diagnostic
	for _, o := range rest {
		dry, c, err := w.dryRun(ctx, []*object{o}, "one.json", force)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			w.hide(dry[0])
			results[o] = dry[0]
			continue
		}
		if m := noNamespace().FindStringSubmatch(c.stderr); m != nil && made[m[1]] {
			late[o] = "its namespace " + m[1]
			continue
		}
		errors := said(c.stderr)
		if len(errors) == 0 {
			errors = []string{err.Error()}
		}
		for _, text := range errors {
			problems = append(problems, w.diagnose(o, text))
		}
	}
	w.refilter()
	if len(problems) > 0 {
		return w.rejected("plan", problems)
	}
	return nil
}
