package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ref names an object of the cluster. Its namespace is empty where it has none.
type ref struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

func (r ref) group() string {
	group, _, found := strings.Cut(r.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// key is what the object is, whatever version of its API names it.
func (r ref) key() ref { r.APIVersion = r.group(); return r }

// kind is the kind as metapipe.yml names it: Kind, or Kind.group.
func (r ref) kind() string {
	if group := r.group(); group != "" {
		return r.Kind + "." + group
	}
	return r.Kind
}

// String is the address of the object in a plan.
func (r ref) String() string {
	if r.Namespace == "" {
		return r.kind() + " " + r.Name
	}
	return r.kind() + " " + r.Namespace + "/" + r.Name
}

// printed is how kubectl names the object that it has applied.
func (r ref) printed() string { return strings.ToLower(r.kind()) + "/" + r.Name }

func (r ref) compare(o ref) int {
	return cmp.Or(strings.Compare(r.kind(), o.kind()), strings.Compare(r.Namespace, o.Namespace), strings.Compare(r.Name, o.Name))
}

// identity is the object without anything that it holds, as a manifest.
func (r ref) identity() map[string]any {
	metadata := map[string]any{"name": r.Name}
	if r.Namespace != "" {
		metadata["namespace"] = r.Namespace
	}
	return map[string]any{"apiVersion": r.APIVersion, "kind": r.Kind, "metadata": metadata}
}

// at is a member below a value, nil where there is none.
func at(value any, path ...string) any {
	for _, step := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[step]
	}
	return value
}

func textAt(value any, path ...string) string {
	s, _ := at(value, path...).(string)
	return s
}

// refOf is the ref of an object that the server has shown.
func refOf(o map[string]any) ref {
	return ref{textAt(o, "apiVersion"), textAt(o, "kind"), textAt(o, "metadata", "namespace"), textAt(o, "metadata", "name")}
}

// clone copies a decoded value.
func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, e := range v {
			c[key] = clone(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = clone(e)
		}
		return c
	}
	return value
}

// kubectlAnnotation is where kubectl keeps a copy of what was applied on the side of the client.
const kubectlAnnotation = "kubectl.kubernetes.io/last-applied-configuration"

// bookkeeping is what the server writes of an object by itself.
var bookkeeping = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}

// asked is what of an object is asked of the cluster: without its status and the bookkeeping
// of the server.
func asked(o map[string]any) map[string]any {
	if o == nil {
		return nil
	}
	c, _ := clone(o).(map[string]any)
	delete(c, "status")
	if metadata, ok := c["metadata"].(map[string]any); ok {
		for _, name := range bookkeeping {
			delete(metadata, name)
		}
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			if delete(annotations, kubectlAnnotation); len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
	}
	return c
}

// marksOf names what of an object is secret.
func marksOf(o map[string]any) any {
	if textAt(o, "kind") != "Secret" || textAt(o, "apiVersion") != "v1" {
		return nil
	}
	marks := map[string]any{}
	for _, part := range []string{"data", "stringData"} {
		values, isMap := o[part].(map[string]any)
		if !isMap {
			marks[part] = true
			continue
		}
		each := map[string]any{}
		for key := range values {
			each[key] = true
		}
		marks[part] = each
	}
	return marks
}

// object is one manifest of the root, filled in.
type object struct {
	ref
	manifest map[string]any
	where    pipeline.Position // of its document
	filled   []filled
}

// The phases of an apply: what others need comes first.
const (
	phaseNamespaces = iota
	phaseDefinitions
	phaseOthers
)

func (r ref) phase() int {
	switch r.kind() {
	case "Namespace":
		return phaseNamespaces
	case "CustomResourceDefinition.apiextensions.k8s.io", "CompositeResourceDefinition.apiextensions.crossplane.io":
		return phaseDefinitions
	}
	return phaseOthers
}

// inPhases orders objects as they are applied.
func inPhases(objects []*object) {
	slices.SortStableFunc(objects, func(a, b *object) int { return cmp.Compare(a.phase(), b.phase()) })
}

// defines returns the kind that a definition of the stack adds to the cluster, as Kind.group,
// and whether its objects lie in no namespace. A second kind is that of claims, which always lie
// in one.
func (o *object) defines() (kinds []string, clusterScoped bool) {
	if o.phase() != phaseDefinitions {
		return nil, false
	}
	group := textAt(o.manifest, "spec", "group")
	for _, names := range []string{"names", "claimNames"} {
		if kind := textAt(o.manifest, "spec", names, "kind"); kind != "" {
			kinds = append(kinds, kind+"."+group)
		}
	}
	switch textAt(o.manifest, "spec", "scope") {
	case "Cluster", "LegacyCluster":
		return kinds, true
	case "":
		return kinds, o.APIVersion == "apiextensions.crossplane.io/v1"
	}
	return kinds, false
}
