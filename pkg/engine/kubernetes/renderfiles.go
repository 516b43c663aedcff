package kubernetes

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The annotations of a Function that say how `crossplane render` reaches it.
const (
	runtimeAnnotation = "render.crossplane.io/runtime"
	targetAnnotation  = "render.crossplane.io/runtime-development-target"
	developmentTarget = "localhost:9443" // where none is named
)

// readRenderFiles reads the files of a rule. What is wrong with them is a *fillError with its place.
func readRenderFiles(dir, root string, rule pipeline.RenderRule) (renderFiles, error) {
	var all renderFiles
	for _, part := range []struct {
		files []string
		add   func(*filler, *yaml.Node, map[string]any) error
	}{{rule.Compositions, all.addComposition}, {[]string{rule.Functions}, all.addFunction}, {rule.Definitions, all.addDefinition}} {
		for _, name := range part.files {
			file := inRoot(root, name)
			content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
			if err != nil {
				return all, &fillError{where: pipeline.Position{File: file}, message: "it cannot be read, and kubernetes.render of the stack names it", next: "write it, or name another file in " + managerFile}
			}
			err = manifestsOf(file, content, func(n *yaml.Node, o map[string]any) error { return part.add(&filler{file: file}, n, o) })
			if err != nil {
				return all, err
			}
		}
	}
	return all, all.checkSteps()
}

func (all *renderFiles) addComposition(f *filler, n *yaml.Node, o map[string]any) error {
	c := composition{name: textAt(o, "metadata", "name"), of: ref{APIVersion: textAt(o, "spec", "compositeTypeRef", "apiVersion"), Kind: textAt(o, "spec", "compositeTypeRef", "kind")}, manifest: o, where: pipeline.Position{File: f.file, Line: n.Line}}
	c.labels, _ = at(o, "metadata", "labels").(map[string]any)
	switch {
	case refOf(o).kind() != "Composition.apiextensions.crossplane.io" || !namePattern().MatchString(c.name) || !isKind(c.of):
		return f.fail(n, "write a Composition with a name and spec.compositeTypeRef", "the document is no Composition")
	case textAt(o, "spec", "mode") != "Pipeline" && at(o, "spec", "mode") != nil || at(o, "spec", "pipeline") == nil:
		return f.fail(n, "write it with mode: Pipeline", "the Composition %s is no pipeline of functions, and only those can be predicted", c.name)
	}
	if !slices.ContainsFunc(all.compositions, func(other composition) bool { return other.name == c.name }) {
		all.compositions = append(all.compositions, c)
		return nil
	}
	return f.fail(n, "keep one of the two", "the Composition %s is there twice", c.name)
}

func (all *renderFiles) addFunction(f *filler, n *yaml.Node, o map[string]any) error {
	one := function{name: textAt(o, "metadata", "name"), manifest: o}
	if refOf(o).kind() != "Function.pkg.crossplane.io" || !namePattern().MatchString(one.name) {
		return f.fail(n, "write a Function with a name", "the document is no Function")
	}
	annotations, _ := at(o, "metadata", "annotations").(map[string]any)
	const next = "start the function before the plan and annotate it with " + runtimeAnnotation + ": Development and " + targetAnnotation + ": 127.0.0.1:PORT"
	switch runtime, _ := annotations[runtimeAnnotation].(string); runtime {
	case "Development":
	case "", "Docker":
		return f.fail(n, next, "the function %s would run in Docker, which a plan does not start: it would need a container engine in the job, and an image from a registry", one.name)
	default:
		return f.fail(n, next, "the function %s has the unknown runtime %s", one.name, pipeline.Quote(runtime))
	}
	target, _ := annotations[targetAnnotation].(string)
	if target == "" {
		target = developmentTarget
	}
	if one.target = strings.TrimPrefix(target, "dns:///"); !isLoopback(one.target) {
		return f.fail(n, next, "the function %s runs at %s, which is no address of this machine: values of customers would leave it without encryption", one.name, pipeline.Quote(target))
	}
	if slices.ContainsFunc(all.functions, func(other function) bool { return other.name == one.name }) {
		return f.fail(n, "keep one of the two", "the Function %s is there twice", one.name)
	}
	all.functions = append(all.functions, one)
	return nil
}

// isLoopback reports whether an address is a port of this machine.
func isLoopback(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n <= 0 || n > 65535 {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (all *renderFiles) addDefinition(f *filler, n *yaml.Node, o map[string]any) error {
	group := textAt(o, "spec", "group")
	d := compositeDefinition{composite: textAt(o, "spec", "names", "kind"), manifest: o}
	if refOf(o).kind() != "CompositeResourceDefinition.apiextensions.crossplane.io" || group == "" || d.composite == "" {
		return f.fail(n, "write a CompositeResourceDefinition with spec.group and spec.names", "the document is no CompositeResourceDefinition")
	}
	d.kind = d.composite + "." + group
	if claim := textAt(o, "spec", "claimNames", "kind"); claim != "" {
		d.claimKind = claim + "." + group
	}
	all.definitions = append(all.definitions, d)
	return nil
}

// checkSteps finds steps of pipelines whose function is not there, or that need what is in the cluster alone.
func (all *renderFiles) checkSteps() error {
	for _, c := range all.compositions {
		steps, _ := at(c.manifest, "spec", "pipeline").([]any)
		for _, step := range steps {
			name := textAt(step, "functionRef", "name")
			if !slices.ContainsFunc(all.functions, func(f function) bool { return f.name == name }) {
				return &fillError{where: c.where, message: fmt.Sprintf("the Composition %s needs the function %s, which the file of functions lacks", c.name, pipeline.Quote(name)), next: "add it to the file that kubernetes.render.functions of the stack names"}
			}
			if credentials, _ := at(step, "credentials").([]any); len(credentials) > 0 {
				return &fillError{where: c.where, message: fmt.Sprintf("the Composition %s gives the function %s credentials of the cluster, which a plan does not have", c.name, pipeline.Quote(name)), next: "take the Composition out of kubernetes.render.compositions of the stack"}
			}
		}
	}
	return nil
}

// definitionOf is the definition of a composite resource or of a claim; nil: there is none.
func (all *renderFiles) definitionOf(kind string) *compositeDefinition {
	for i := range all.definitions {
		if d := &all.definitions[i]; d.kind == kind || d.claimKind == kind {
			return d
		}
	}
	return nil
}

// compositionOf chooses the composition of a composite resource as Crossplane does: by name, or else by labels, among
// those for its kind. nil: there is none.
func (all *renderFiles) compositionOf(o map[string]any) (*composition, error) {
	name, labels := "", map[string]any(nil)
	for _, path := range [][]string{{"spec", "crossplane"}, {"spec"}} {
		if name == "" {
			name = textAt(o, append(slices.Clone(path), "compositionRef", "name")...)
		}
		if labels == nil {
			labels, _ = at(o, append(slices.Clone(path), "compositionSelector", "matchLabels")...).(map[string]any)
		}
	}
	var fitting []*composition
	for i := range all.compositions {
		c := &all.compositions[i]
		if r := refOf(o); c.of.APIVersion != r.APIVersion || c.of.Kind != r.Kind || name != "" && c.name != name {
			continue
		}
		fits := true
		for key, value := range labels {
			fits = fits && c.labels[key] == value
		}
		if fits || name != "" {
			fitting = append(fitting, c)
		}
	}
	if len(fitting) > 1 {
		return nil, fmt.Errorf("%d of the compositions are for it, such as %s and %s", len(fitting), fitting[0].name, fitting[1].name)
	}
	if len(fitting) == 0 {
		return nil, nil
	}
	return fitting[0], nil
}
