package pulumi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// A plugin runs beside the CLI: the language of the program, or the provider of a package.
type pluginName struct{ kind, name, version string }

func (p pluginName) program() string { return fmt.Sprintf("pulumi-%s-%s", p.kind, p.name) }

// findPlugin is the file of a plugin: in PATH, or where `pulumi plugin install` puts them.
func (w *workspace) findPlugin(p pluginName) string {
	if found := w.engine.options.Environ.InPath(p.program()); len(found) > 0 {
		return found[0]
	}
	beside := filepath.Join(filepath.Dir(w.tool.path), p.program())
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	if p.version != "" {
		file := filepath.Join(w.pluginHome, fmt.Sprintf("%s-%s-v%s", p.kind, p.name, p.version), p.program())
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// language is the plugin of the language of the program.
func (w *workspace) language() pluginName {
	return pluginName{kind: "language", name: w.project.runtime}
}

// checkLanguage is a *UsageError where nothing runs the program.
func (w *workspace) checkLanguage() error {
	if w.findPlugin(w.language()) != "" {
		return nil
	}
	return pipeline.Usagef("the program in %s is written for the runtime %s, and there is no %s in PATH", w.job.Root(), pipeline.Quote(w.project.runtime), w.language().program()).
		Nextf("install the whole archive of the Pulumi CLI, which holds it, and put its directory into PATH")
}

// describe names plugins with the digests of their programs, one a line. What has no program
// of its own, such as a plugin in a directory of the repository, is part of the tree.
func (w *workspace) describe(used []pluginName) (string, error) {
	lines := map[string]bool{}
	for _, p := range append(slices.Clip(used), w.language()) {
		sum := "none"
		if file := w.findPlugin(p); file != "" {
			var err error
			if sum, err = w.engine.digest(file); err != nil {
				return "", w.failed("read the plugin "+p.program(), err)
			}
		}
		lines[strings.Join([]string{p.kind, p.name, p.version, sum}, " ")] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), "\n"), nil
}

// digest is the SHA-256 of a plugin. It is remembered as versions are: the programs are large,
// and who can change one here can run another one, too.
func (e *Engine) digest(file string) (string, error) {
	dir := ""
	if e.options.CacheDir != "" {
		dir = filepath.Join(e.options.CacheDir, "plugins")
	}
	return process.Versions{Dir: dir, Known: sha256Hex().MatchString, Ask: func(_ context.Context, path string) (string, error) { return digestOf(path) }}.Of(context.Background(), file)
}

var sha256Hex = text.Pattern(`^[0-9a-f]{64}$`)

func digestOf(file string) (string, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), errors.Join(err, f.Close())
}

// samePlugins refuses other plugins than those that the plan was made with.
func (w *workspace) samePlugins(planned string, refuse func(pipeline.Reason, string) error) error {
	var used []pluginName
	for line := range strings.Lines(planned) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(fields) != 4 {
			return refuse(pipeline.ReasonTampered, "the plan names plugins in a form that this metapipe does not know")
		}
		used = append(used, pluginName{kind: fields[0], name: fields[1], version: fields[2]})
	}
	now, err := w.describe(used)
	if err != nil {
		return err
	}
	if now != planned {
		return refuse(pipeline.ReasonOtherTool, "the plugins of Pulumi are not those that the plan was made with")
	}
	return nil
}

// usedPlugins are the providers of the resources of a preview.
func (r *run) usedPlugins() []pluginName {
	var used []pluginName
	for _, s := range r.steps {
		name, isProvider := strings.CutPrefix(s.Type, providerPrefix)
		if !isProvider || name == "pulumi" {
			continue
		}
		var inputs struct {
			Version string `json:"version"`
		}
		for _, one := range []*side{s.New, s.Old} {
			if one != nil && inputs.Version == "" {
				_ = json.Unmarshal(one.Inputs, &inputs) // a provider without a version is one
			}
		}
		if !slices.Contains(used, pluginName{"resource", name, inputs.Version}) {
			used = append(used, pluginName{"resource", name, inputs.Version})
		}
	}
	return used
}
