package variables

import (
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// Effective is what the tool sees for env: the whole document with the
// placeholder filled in, and the top-level keys with the keys of
// environments.<env> laid over them. An environment that the file does not list
// is an error.
func (d *Document) Effective(env pipeline.Environment) (pipeline.EffectiveConfig, error) {
	if _, err := pipeline.ParseEnvironment(string(env)); err != nil {
		return pipeline.EffectiveConfig{}, fmt.Errorf("read %s: %w", d.file, err)
	}
	if d.root.At(environmentsKey, string(env)) == nil {
		pos, _ := d.Locate(environmentsKey)
		return pipeline.EffectiveConfig{}, fmt.Errorf("%s: environment %q is not listed here; add %q below \"environments:\"", pos, env, string(env)+":")
	}
	root := substituted(d.root, env)
	whole, err := root.JSON()
	if err != nil {
		return pipeline.EffectiveConfig{}, fmt.Errorf("read %s for %s: %w", d.file, env, err)
	}
	values := make(map[string]json.RawMessage, len(root.Entries))
	for _, layer := range []*strictyaml.Node{root, root.At(environmentsKey, string(env))} {
		for _, e := range layer.Entries {
			if values[e.Key], err = e.Value.JSON(); err != nil {
				return pipeline.EffectiveConfig{}, fmt.Errorf("read %s for %s: %w", d.file, env, err)
			}
		}
	}
	return pipeline.EffectiveConfig{Source: root.YAML(), Whole: whole, Values: values}, nil
}
