package kubernetes

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// rendered is what `crossplane render` has printed.
type rendered struct {
	composed []composedObject
	warnings []string // of functions
}

// composedObject is one object that would be composed. Where Crossplane generates its name, only the beginning of that
// is known.
type composedObject struct {
	ref
	generated bool
	resource  string // its name in the composition
	manifest  map[string]any
}

// resultKind is what the messages of functions are printed as.
var resultKind = ref{APIVersion: "render.crossplane.io/v1beta1", Kind: "Result"}

// parseRendered reads what was printed about a composite resource: first itself with its status, then what it is
// composed of, then what the functions have said.
func parseRendered(raw []byte, of ref) (rendered, error) {
	var out rendered
	documents, err := decode("", raw)
	if err != nil {
		return out, unreadable(err)
	}
	f := &filler{literal: true}
	for i, document := range documents {
		value, err := f.fill(document, nil)
		if err != nil {
			return out, unreadable(err)
		}
		o, _ := value.(map[string]any)
		switch r := refOf(o); {
		case i == 0 && r.key() == of.key():
		case i == 0:
			return out, errors.New("it does not begin with the resource that was asked for")
		case r.APIVersion == resultKind.APIVersion && r.Kind == resultKind.Kind:
			if textAt(o, "severity") == "SEVERITY_WARNING" {
				out.warnings = append(out.warnings, redact.Clean(textAt(o, "step")+": "+textAt(o, "message")))
			}
		default:
			one, err := composedFrom(o)
			if err != nil {
				return out, fmt.Errorf("document %d: %w", i+1, err)
			}
			out.composed = append(out.composed, one)
		}
	}
	if len(documents) == 0 {
		return out, errors.New("it is empty")
	}
	return out, nil
}

// unreadable leaves out the place in a file that no one has.
func unreadable(err error) error {
	var place *fillError
	if errors.As(err, &place) {
		return errors.New(place.message)
	}
	return err
}

func composedFrom(o map[string]any) (composedObject, error) {
	one := composedObject{ref: refOf(o), manifest: o, resource: clip(redact.Clean(textAt(o, "metadata", "annotations", resourceAnnotation)), maxComposedName)}
	name := one.Name
	if name == "" {
		name, one.generated = textAt(o, "metadata", "generateName"), true
		one.Name = strings.TrimRight(name, "-.")
	}
	switch {
	case at(o, "metadata", "annotations", resourceAnnotation) == nil:
		return one, errors.New("it is nothing that is composed")
	case !isKind(one.ref), !namePattern().MatchString(one.Name), one.Namespace != "" && !namePattern().MatchString(one.Namespace):
		return one, errors.New("it has no kind or no name that an object can have")
	}
	return one, nil
}

// isKind reports whether the server could know the kind.
func isKind(r ref) bool {
	return namePattern().MatchString(r.Kind) && r.APIVersion != "" && len(r.APIVersion) <= maxComposedName && strings.Trim(r.APIVersion, versionCharacters) == ""
}

// String is the address of the object; of a generated name the beginning.
func (o composedObject) String() string {
	if o.generated {
		return o.ref.String() + "-…"
	}
	return o.ref.String()
}

// renderFiles are the files of a root that `crossplane render` predicts with.
type renderFiles struct {
	compositions []composition
	functions    []function
	definitions  []compositeDefinition
}

type composition struct {
	name     string
	of       ref // the kind that it is for
	labels   map[string]any
	manifest map[string]any
	where    pipeline.Position
}

type function struct {
	name, target string
	manifest     map[string]any
}

type compositeDefinition struct {
	kind, claimKind string // as Kind.group
	composite       string // the kind alone
	manifest        map[string]any
}

// manifestsOf are the documents of a file, without placeholders.
func manifestsOf(file string, content []byte, each func(*yaml.Node, map[string]any) error) error {
	documents, err := decode(file, content)
	if err != nil {
		return err
	}
	for _, document := range documents {
		f := &filler{file: file, literal: true}
		value, err := f.fill(document, nil)
		if err != nil {
			return err
		}
		manifest, _ := value.(map[string]any)
		if err := each(document, manifest); err != nil {
			return err
		}
	}
	if len(documents) == 0 {
		return (&filler{file: file}).fail(&yaml.Node{Line: 1}, "write one object per document", "the file holds no object")
	}
	return nil
}
