package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The inventory is the parent of an apply set, so that other tools see whose objects are.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-cli/3659-kubectl-apply-prune
const (
	partOfLabel = "applyset.kubernetes.io/part-of"
	idLabel     = "applyset.kubernetes.io/id"
	inventoryAt = "inventory.json" // in the data of its ConfigMap
)

// entry is one object of an inventory.
type entry struct {
	ref
	UID string `json:"uid,omitempty"` // empty: it was about to be made
}

// inventory is what a target has in the cluster: its state.
type inventory struct {
	Version int     `json:"version"`
	Target  string  `json:"target"`
	Serial  uint64  `json:"serial"` // counts the applies
	Objects []entry `json:"objects"`

	uid, resourceVersion string // of the ConfigMap; empty: there is none
}

const inventoryVersion = 1

func (i inventory) state() pipeline.StateVersion {
	return pipeline.StateVersion{Lineage: i.uid, Serial: i.Serial}
}

func (i inventory) record() pipeline.StateRecord {
	return pipeline.StateRecord{StateVersion: i.state(), Resources: len(i.Objects)}
}

func (w *workspace) inventoryName() string {
	return w.job.Tool().Kubernetes.Inventory(w.job.Target())
}

func (w *workspace) inventoryRef() ref {
	return ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.namespace, Name: w.inventoryName()}
}

// applySet is the id of the target's objects, as KEP-3659 makes it of their parent.
func (w *workspace) applySet() string {
	sum := sha256.Sum256([]byte(w.inventoryName() + "." + w.namespace + ".ConfigMap."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// labeled is the manifest as it is sent: marked as one of the target's.
func (w *workspace) labeled(o *object) map[string]any {
	manifest, _ := clone(o.manifest).(map[string]any)
	metadata, _ := manifest["metadata"].(map[string]any)
	labels, ok := metadata["labels"].(map[string]any)
	if !ok {
		labels = map[string]any{}
	}
	labels[partOfLabel] = w.applySet()
	metadata["labels"] = labels
	return manifest
}

// readInventory reads a ConfigMap.
func (w *workspace) readInventory(o map[string]any) (inventory, error) {
	i, err := parseInventory(textAt(o, "data", inventoryAt))
	if err == nil && i.Target != w.job.Target().String() {
		err = fmt.Errorf("it is of %s", pipeline.Quote(i.Target))
	}
	if err != nil {
		return inventory{}, pipeline.DamagedState(w.job.Target(), w.inventoryRef().String(), err.Error()).Refusal()
	}
	i.uid, i.resourceVersion = textAt(o, "metadata", "uid"), textAt(o, "metadata", "resourceVersion")
	return i, nil
}

// parseInventory reads what anyone who may write to the namespace can have written.
func parseInventory(text string) (inventory, error) {
	var i inventory
	if err := pipeline.DecodeKnown([]byte(text), &i); err != nil {
		return inventory{}, errors.New("it is no inventory")
	}
	if i.Version != inventoryVersion {
		return inventory{}, fmt.Errorf("its version %d is not known", i.Version)
	}
	seen := map[ref]bool{}
	for _, e := range i.Objects {
		if !namePattern().MatchString(e.Name) || !namePattern().MatchString(e.Kind) || e.Namespace != "" && !namePattern().MatchString(e.Namespace) || strings.Trim(e.APIVersion, versionCharacters) != "" ||
			e.APIVersion == "" || seen[e.key()] {
			return inventory{}, errors.New("it lists an object that cannot be there")
		}
		seen[e.key()] = true
	}
	return i, nil
}

const versionCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-/"

// configMap is the inventory as it is sent.
func (w *workspace) configMap(i inventory) (map[string]any, error) {
	i.Version, i.Target = inventoryVersion, w.job.Target().String()
	slices.SortFunc(i.Objects, func(a, b entry) int { return a.compare(b.ref) })
	raw, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	var kinds, namespaces []string
	for _, e := range i.Objects {
		if !slices.Contains(kinds, e.kind()) {
			kinds = append(kinds, e.kind())
		}
		if e.Namespace != "" && e.Namespace != w.namespace && !slices.Contains(namespaces, e.Namespace) {
			namespaces = append(namespaces, e.Namespace)
		}
	}
	slices.Sort(kinds)
	slices.Sort(namespaces)
	o := w.inventoryRef().identity()
	metadata, _ := o["metadata"].(map[string]any)
	metadata["labels"] = map[string]any{idLabel: w.applySet(), "app.kubernetes.io/managed-by": "metapipe"}
	metadata["annotations"] = map[string]any{
		"applyset.kubernetes.io/tooling":               "metapipe/v1",
		"applyset.kubernetes.io/contains-group-kinds":  strings.Join(kinds, ","),
		"applyset.kubernetes.io/additional-namespaces": strings.Join(namespaces, ","),
	}
	if i.uid != "" {
		metadata["uid"], metadata["resourceVersion"] = i.uid, i.resourceVersion
	}
	o["data"] = map[string]any{inventoryAt: string(raw)}
	return o, nil
}

// keep writes the inventory. Nobody else may have written it since it was read: two applies of
// one target cannot go on beside each other.
func (w *workspace) keep(ctx context.Context, i *inventory) error {
	o, err := w.configMap(*i)
	if err != nil {
		return w.failed("write the inventory", err)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return w.failed("write the inventory", err)
	}
	if err := w.write("inventory.json", raw); err != nil {
		return err
	}
	verb := "create"
	if i.uid != "" {
		verb = "replace"
	}
	c := w.kubectl(ctx, nil, verb, "-f", filepath.Join(w.private, "inventory.json"), "-o", "json", "--field-manager="+fieldManager)
	if c.err != nil {
		return &inventoryError{said: c.stderr, err: c.err}
	}
	written, err := c.objects()
	if err != nil || len(written) != 1 {
		return errors.Join(errors.New("kubectl has not shown the inventory that it wrote"), err)
	}
	i.uid, i.resourceVersion = textAt(written[0], "metadata", "uid"), textAt(written[0], "metadata", "resourceVersion")
	return nil
}

// inventoryError says that the inventory could not be written.
type inventoryError struct {
	said string
	err  error
}

func (e *inventoryError) Error() string { return e.err.Error() }
func (e *inventoryError) Unwrap() error { return e.err }

// taken reports whether someone else has written the inventory since it was read.
func (e *inventoryError) taken() bool {
	return strings.Contains(e.said, "(AlreadyExists)") || strings.Contains(e.said, "(Conflict)") || strings.Contains(e.said, "object has been modified")
}

// State implements pipeline.StateReader.
func (e *Engine) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	if err := job.CheckStack(); err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	tool, err := e.find(ctx, job.Tool())
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	w := e.workspaceOf(job, tool)
	defer w.close()
	if err := w.connect(); err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	file, err := w.writeList("state.json", []map[string]any{w.inventoryRef().identity()})
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	found, c, err := w.get(ctx, file)
	if ctx.Err() != nil {
		return pipeline.StateRecord{}, 0, w.failed("read the state", ctx.Err())
	}
	if err != nil {
		return pipeline.StateRecord{}, 0, w.unreachable("the look at the inventory", c, err)
	}
	if len(found) == 0 {
		return pipeline.StateRecord{}, 0, nil
	}
	i, err := w.readInventory(found[0])
	return i.record(), int64(len(textAt(found[0], "data", inventoryAt))), err
}
