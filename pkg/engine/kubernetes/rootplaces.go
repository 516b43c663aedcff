package kubernetes

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// managerFile is where the manager names its stacks.
const managerFile = "metapipe.yml"

// stackRule is what validate needs to know of a stack. What is wrong with metapipe.yml is said
// where the file is loaded.
type stackRule struct {
	Name, Root string
	Needs      []string
	Kubernetes struct {
		Namespace    string
		Namespaces   []string
		ClusterKinds []string `yaml:"cluster_kinds"`
		Render       struct {
			Compositions []string
			Functions    string
			Definitions  []string
		}
	}
}

// stacksIn are the stacks of a manager; nil: they are not known.
func stacksIn(dir string) []stackRule {
	content, err := os.ReadFile(filepath.Join(dir, managerFile))
	manager := struct{ Stacks []stackRule }{Stacks: []stackRule{}}
	if err != nil || yaml.Unmarshal(content, &manager) != nil {
		return nil
	}
	return manager.Stacks
}

func (s stackRule) serves(root string) bool { return path.Clean(s.Root) == path.Clean(root) }

// neededBy are the stacks whose outputs the manifests of a root can name: those that the stack of
// the root needs, or else all. nil: they are not known.
func neededBy(stacks []stackRule, root string) map[string]bool {
	if stacks == nil {
		return nil
	}
	all, needed, found := map[string]bool{}, map[string]bool{}, false
	for _, s := range stacks {
		all[s.Name] = true
		if !s.serves(root) {
			continue
		}
		found = true
		for _, name := range s.Needs {
			needed[name] = true
		}
	}
	if found {
		return needed
	}
	return all
}

// rootPlaces are where the objects of one stack may lie, for any of its targets.
type rootPlaces struct {
	stack        string
	namespaces   []*regexp.Regexp
	clusterKinds []string
}

// placesOf are those of the stacks with a root. A stack without a namespace has none: the key is
// reported as missing.
func placesOf(stacks []stackRule, root string) (all []rootPlaces) {
	for _, s := range stacks {
		if !s.serves(root) || s.Kubernetes.Namespace == "" {
			continue
		}
		places := rootPlaces{stack: s.Name, clusterKinds: s.Kubernetes.ClusterKinds}
		for _, template := range append([]string{s.Kubernetes.Namespace}, s.Kubernetes.Namespaces...) {
			places.namespaces = append(places.namespaces, anyTarget(template))
		}
		all = append(all, places)
	}
	return all
}

// anyTarget matches what a template of metapipe.yml can be for some target.
func anyTarget(template string) *regexp.Regexp {
	template, wild := strings.CutSuffix(template, "*")
	pattern := "^"
	for template != "" {
		before, after, found := strings.Cut(template, "{{")
		pattern += regexp.QuoteMeta(before)
		if found {
			pattern += "[a-z0-9-]+"
			_, after, _ = strings.Cut(after, "}}")
		}
		template = after
	}
	if !wild {
		pattern += "$"
	}
	return regexp.MustCompile(pattern)
}

func (p rootPlaces) allow(namespace string) bool {
	return slices.ContainsFunc(p.namespaces, func(one *regexp.Regexp) bool { return one.MatchString(namespace) })
}

// checkPlace finds an object that no target of a stack may have: one in a namespace, or of a kind
// without namespaces, that the stack does not list. A name with a placeholder, and the scope of a
// kind that neither Kubernetes nor Crossplane itself has, and that the manager does not define, are known to a plan only.
func checkPlace(file string, n *yaml.Node, places []rootPlaces, clusterScoped map[string]bool) pipeline.Problems {
	o, _ := refOfNode(n)
	at := n
	if value := memberOf(memberOf(n, "metadata"), "namespace"); value != nil {
		at = value
	}
	problem := func(what, next string) pipeline.Problems {
		return pipeline.Problems{{Position: pipeline.Position{File: file, Line: at.Line, Column: at.Column}, Rule: rulePlace, Message: o.String() + " " + what, Remedy: next}}
	}
	for _, p := range places {
		switch {
		case o.kind() == "Namespace":
			if at = memberOf(memberOf(n, "metadata"), "name"); at != nil && isFixed(o.Name) && !p.allow(o.Name) {
				return problem("is a namespace that the stack "+p.stack+" may not use", "give it another name, or list it in kubernetes.namespaces of the stack in "+managerFile)
			}
		case isClusterKind(o.kind()), clusterScoped[o.kind()]:
			if at = n; !slices.Contains(p.clusterKinds, o.kind()) {
				return problem("lies in no namespace, and the stack "+p.stack+" does not list its kind",
					fmt.Sprintf("leave it out, or list %s in kubernetes.cluster_kinds of the stack in %s", o.kind(), managerFile))
			}
		case o.Namespace != "" && isFixed(o.Namespace) && !p.allow(o.Namespace):
			return problem("lies in a namespace that the stack "+p.stack+" may not use", "write another namespace, or list it in kubernetes.namespaces of the stack in "+managerFile)
		}
	}
	return nil
}

// definedScopes are the kinds that definitions of the manager add to a cluster, and whether their objects lie in no
// namespace: those among the manifests, and those that the stack predicts with.
func definedScopes(dir, root string, stacks []stackRule, documentsOf map[string][]*yaml.Node) map[string]bool {
	scopes := map[string]bool{}
	note := func(documents []*yaml.Node) {
		for _, n := range documents {
			r, _ := refOfNode(n)
			value := func(path ...string) string {
				at := n
				for _, step := range path {
					at = memberOf(at, step)
				}
				if at == nil || !isFixed(at.Value) {
					return ""
				}
				return at.Value
			}
			kinds, clusterScoped := (&object{ref: r, manifest: map[string]any{"spec": map[string]any{"group": value("spec", "group"), "scope": value("spec", "scope"),
				"names": map[string]any{"kind": value("spec", "names", "kind")}, "claimNames": map[string]any{"kind": value("spec", "claimNames", "kind")}}}}).defines()
			for i, kind := range kinds {
				scopes[kind] = clusterScoped && i == 0 // the second one is that of claims
			}
		}
	}
	for _, documents := range documentsOf {
		note(documents)
	}
	for _, s := range stacks {
		for _, name := range s.Kubernetes.Render.Definitions {
			if content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(inRoot(root, name)))); err == nil && s.serves(root) && pipeline.BadPath(name) == "" {
				documents, _ := decode(name, content) // what is wrong with it is said elsewhere
				note(documents)
			}
		}
	}
	return scopes
}

func isFixed(name string) bool { return !strings.Contains(name, "{{") }

// isClusterKind reports a kind of Kubernetes or Crossplane itself whose objects lie in no namespace, as Kind or
// Kind.group, beside Namespace.
func isClusterKind(kind string) bool {
	name, group, _ := strings.Cut(kind, ".")
	var kinds string
	switch group {
	case "":
		kinds = "Node PersistentVolume"
	case "admissionregistration.k8s.io":
		kinds = "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration"
	case "apiextensions.k8s.io":
		kinds = "CustomResourceDefinition"
	case "apiextensions.crossplane.io":
		kinds = "CompositeResourceDefinition Composition CompositionRevision EnvironmentConfig ManagedResourceActivationPolicy ManagedResourceDefinition Usage"
	case "ops.crossplane.io":
		kinds = "CronOperation Operation WatchOperation"
	case "pkg.crossplane.io":
		kinds = "Configuration ConfigurationRevision DeploymentRuntimeConfig Function FunctionRevision ImageConfig Lock Provider ProviderRevision"
	case "protection.crossplane.io":
		kinds = "ClusterUsage"
	case "apiregistration.k8s.io":
		kinds = "APIService"
	case "certificates.k8s.io":
		kinds = "CertificateSigningRequest ClusterTrustBundle"
	case "flowcontrol.apiserver.k8s.io":
		kinds = "FlowSchema PriorityLevelConfiguration"
	case "networking.k8s.io":
		kinds = "IPAddress IngressClass ServiceCIDR"
	case "node.k8s.io":
		kinds = "RuntimeClass"
	case "rbac.authorization.k8s.io":
		kinds = "ClusterRole ClusterRoleBinding"
	case "resource.k8s.io":
		kinds = "DeviceClass ResourceSlice"
	case "scheduling.k8s.io":
		kinds = "PriorityClass"
	case "storage.k8s.io":
		kinds = "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass"
	}
	return slices.Contains(strings.Fields(kinds), name)
}
