package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// kubernetesTools are the tools whose stacks have manifests in the place of a root module.
var kubernetesTools = []string{"kubernetes", "crossplane"}

// manifestsDir holds the manifests of such a stack, in its root.
const manifestsDir = "manifests"

// maxWait bounds how long an apply waits for its objects.
const maxWait = 12 * time.Hour

var (
	kindForm        = form{1, 253, text.Pattern(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$`), "write Kind, or Kind.group such as ClusterRole.rbac.authorization.k8s.io"}
	namespaceFormat = text.Pattern(`^[a-z0-9-]+$`)
)

// kubernetes reads what only a stack of Kubernetes or Crossplane has; item is the stack.
func (d *decoder) kubernetes(v, item value, to *pipeline.KubernetesRule) {
	if tool := item.Get("tool"); tool == nil || !slices.Contains(kubernetesTools, tool.Text) {
		d.add(v.at, RuleValue, v.name+" is set, and the tool of the stack is neither kubernetes nor crossplane", "remove it, or write tool: kubernetes")
		return
	}
	d.read(v, fields{
		"kubeconfig": func(v value) { d.secretVariable(v, &to.Kubeconfig) },
		"context": func(v value) {
			if s, ok := d.text(v); ok && d.placeholders(v, s) {
				to.Context = pipeline.Template(s)
			}
		},
		"namespace": func(v value) {
			if t, ok := d.namespace(v, false); ok {
				to.Namespace = t
			}
		},
		"namespaces": func(v value) {
			d.list(v, func(item value) {
				if t, ok := d.namespace(item, true); ok {
					to.Namespaces = append(to.Namespaces, t)
				}
			})
		},
		"cluster_kinds": func(v value) {
			d.list(v, func(item value) {
				kind := ""
				if d.matched(item, &kind, kindForm); kind != "" {
					to.ClusterKinds = append(to.ClusterKinds, kind)
				}
			})
		},
		"exec": func(v value) {
			d.list(v, func(item value) {
				if name, ok := d.text(item); ok {
					to.Exec = append(to.Exec, name)
				}
			})
		},
		"wait": func(v value) {
			if d.duration(v, &to.Wait, 0, maxWait); to.Wait == 0 {
				to.Wait = -1 // not at all
			}
		},
		"render": func(v value) { d.render(v, item, &to.Render) },
	})
	for _, key := range []struct{ name, value, remedy string }{
		{"kubeconfig", to.Kubeconfig, "name the environment variable with the kubeconfig"},
		{"namespace", string(to.Namespace), `write namespace: "{{ customer }}-{{ environment }}", for example`},
	} {
		if key.value == "" && v.Kind == strictyaml.Object && v.Get(key.name) == nil {
			d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, key.name), key.remedy)
		}
	}
}

// render reads what a stack of Crossplane predicts with.
func (d *decoder) render(v, item value, to *pipeline.RenderRule) {
	if tool := item.Get("tool"); tool.Text != "crossplane" {
		d.add(v.at, RuleValue, v.name+" is set, and the tool of the stack is not crossplane", "remove it, or write tool: crossplane")
		return
	}
	files := func(to *[]string) func(value) {
		return func(v value) {
			d.list(v, func(item value) {
				if p, ok := d.path(item); ok {
					*to = append(*to, p)
				}
			})
		}
	}
	d.read(v, fields{
		"version":      func(v value) { d.constraint(v, &to.Version) },
		"compositions": files(&to.Compositions),
		"functions": func(v value) {
			if p, ok := d.path(v); ok {
				to.Functions = p
			}
		},
		"definitions": files(&to.Definitions),
	})
	for _, name := range []string{"compositions", "functions"} {
		if v.Kind == strictyaml.Object && v.Get(name) == nil {
			d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, name), "name the files, relative to the root of the stack")
		}
	}
}

// placeholders refuses a text with others than those of targets.
func (d *decoder) placeholders(v value, s string) bool {
	rest := s
	for _, p := range d.targetPlaceholders() {
		rest = strings.ReplaceAll(rest, p, "")
	}
	if strings.ContainsAny(rest, "{}") {
		d.add(v.at, RuleTemplate, fmt.Sprintf("%s is %q, which holds another placeholder", v.name, strictyaml.Short(s)), "write these placeholders exactly so: "+strings.Join(d.targetPlaceholders(), ", "))
		return false
	}
	return true
}

// namespace reads the name of a namespace with placeholders. That two targets get one is found
// where the customers are known: names of namespaces cannot hold what would keep them apart.
func (d *decoder) namespace(v value, pattern bool) (pipeline.Template, bool) {
	s, ok := d.text(v)
	if !ok || !d.placeholders(v, s) {
		return "", false
	}
	plain := s
	for _, p := range d.targetPlaceholders() {
		plain = strings.ReplaceAll(plain, p, "x")
	}
	if pattern {
		plain = strings.TrimSuffix(plain, "*")
	}
	if !namespaceFormat().MatchString(plain) || strings.HasPrefix(plain, "-") || !pattern && strings.HasSuffix(plain, "-") {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which no namespace can be called", v.name, strictyaml.Short(s)), "use lower-case letters, digits, inner hyphens and placeholders")
		return "", false
	}
	return pipeline.Template(s), true
}

// isKubernetes reports whether the stacks of a tool have manifests.
func isKubernetes(tool string) bool { return slices.Contains(kubernetesTools, tool) }

// namespaceClaims are the namespaces that the objects of a customer's targets may lie in, by the
// cluster: names, or prefixes that end in *. fixed reports of each whether the manager has listed
// it for all customers alike.
func namespaceClaims(c registered) (list []claim, fixed []bool) {
	for _, t := range c.Targets() {
		_, tool, err := c.Module(t.Stack)
		rule := tool.Kubernetes
		if err != nil || !isKubernetes(tool.Name) || rule.Namespace == "" {
			continue
		}
		for i, template := range append([]pipeline.Template{rule.Namespace}, rule.Namespaces...) {
			name := template.Fill(t, "")
			list = append(list, claim{of: c, on: t, kind: "namespace", text: strings.Join([]string{rule.Kubeconfig, rule.Context.Fill(t, ""), name}, "\x00"), name: name})
			fixed = append(fixed, i > 0 && !template.Holds(pipeline.PlaceholderCustomer))
		}
	}
	return list, fixed
}

// checkNamespaces refuses customers whose objects could lie in one namespace.
func (l *loader) checkNamespaces(all []registered) {
	var claimed []claim
	common := map[string]bool{}
	for _, c := range all {
		list, fixed := namespaceClaims(c)
		for i, one := range list {
			if fixed[i] && common[one.text] {
				continue // it is compared with what is a customer's own, once
			}
			common[one.text] = common[one.text] || fixed[i]
			claimed = append(claimed, one)
		}
	}
	slices.SortStableFunc(claimed, func(a, b claim) int { return strings.Compare(a.text, b.text) })
	reported := map[[2]pipeline.CustomerName]bool{}
	for i, a := range claimed {
		prefix, wild := strings.CutSuffix(a.text, "*")
		from := i + 1
		if wild { // a hyphen sorts behind *, and a name that is shorter before it
			from, _ = slices.BinarySearchFunc(claimed, prefix, func(c claim, s string) int { return strings.Compare(c.text, s) })
		}
		for _, b := range claimed[from:] {
			if !strings.HasPrefix(b.text, prefix) || !wild && b.text != a.text {
				break
			}
			pair := [2]pipeline.CustomerName{a.of.Name, b.of.Name}
			if a.of.Name == b.of.Name || reported[pair] {
				continue
			}
			reported[pair], reported[[2]pipeline.CustomerName{b.of.Name, a.of.Name}] = true, true
			a.name = b.name
			l.shared(a, b)
			if !wild {
				break
			}
		}
	}
}
