package process

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Wanted is a program that an engine runs.
type Wanted struct {
	Program string // its name
	Tool    string // its name in metapipe.yml
	Of      string // what its version is the version of; empty: of the program
	Rule    pipeline.ToolRule
	Named   string // the program that the caller names; it counts where it is called like the program
	Install string // how to get it
	// Setting is where metapipe.yml names the version; empty: the version of the stack.
	Setting string
	// Ask starts the program at path for its version.
	Ask func(ctx context.Context, path string) (string, error)
	// Builds is true where distributions add the name of their build to the version, as in 1.32.4-dispatcher or
	// 1.33.1-eks-a1b2c3: for a constraint it is 1.32.4, and no pre-release of it.
	Builds bool
}

// Find finds the first program that fits: the one that is named, or the first one in the PATH
// of environ. It installs nothing.
func (w Wanted) Find(ctx context.Context, environ Environ) (path, found string, err error) {
	var fits version.Constraints
	wanted := w.Program
	if w.Rule.Constraint != "" {
		if fits, err = version.NewConstraint(w.Rule.Constraint); err != nil {
			return "", "", pipeline.Usagef("the version %q of %s is no version constraint", w.Rule.Constraint, w.Tool).Because(err).Nextf(`write it like ">= 2.14, < 3"`)
		}
		wanted = fmt.Sprintf("%s %q", w.Program, w.Rule.Constraint)
		if w.Of != "" {
			wanted = fmt.Sprintf("%s of %s %q", w.Program, w.Of, w.Rule.Constraint)
		}
	}
	var unfit []string
	for _, path := range w.candidates(environ) {
		found, err := w.Ask(ctx, path)
		switch {
		case ctx.Err() != nil:
			return "", "", fmt.Errorf("find %s: %w", w.Program, ctx.Err())
		case err != nil:
			unfit = append(unfit, fmt.Sprintf("%s does not answer (%v)", path, err))
			continue
		}
		if v, err := version.NewVersion(found); fits == nil || err == nil && fits.Check(w.plain(v)) {
			return path, found, nil
		}
		unfit = append(unfit, fmt.Sprintf("%s is %s", path, found))
	}
	message := wanted + " is needed, and there is none"
	if len(unfit) > 0 {
		message = wanted + " is needed; " + strings.Join(unfit, ", ")
	}
	return "", "", pipeline.Usagef("%s", message).Nextf("%s and put it into PATH, or change %s in metapipe.yml", w.Install, cmp.Or(w.Setting, "the version of the stack"))
}

// plain is a version without the name of a build.
func (w Wanted) plain(v *version.Version) *version.Version {
	if w.Builds && !preRelease().MatchString(v.Prerelease()) {
		return v.Core()
	}
	return v
}

var preRelease = text.Pattern(`^(alpha|beta|rc)\b`)

func (w Wanted) candidates(environ Environ) []string {
	if strings.HasPrefix(filepath.Base(w.Named), w.Program) {
		if path, err := filepath.Abs(w.Named); err == nil {
			return []string{path}
		}
	}
	var paths, seen []string
	for _, path := range environ.InPath(w.Program) {
		// PATH often names a folder twice, or one that is a link to another.
		if actual, err := filepath.EvalSymlinks(path); err == nil && !slices.Contains(seen, actual) {
			paths, seen = append(paths, path), append(seen, actual)
		}
	}
	return paths
}

// Same refuses a tool that is not the very one that made a plan.
func Same(receipt pipeline.Receipt, found string) error {
	want := receipt.Evidence.Tool()
	if want.String() == found {
		return nil
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonOtherTool, Next: receipt.Mode.Afresh(),
		Message:  fmt.Sprintf("the plan was made with %s, and this run has %s", want, found),
		Operator: fmt.Sprintf("install %s here, or make a new plan", want)}
}
