package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

var (
	digits     = text.Pattern(`^-?[0-9]+$`)
	indexes    = text.Pattern(`\[[0-9]+\]`)
	plainItem  = text.Pattern(`^[A-Za-z][A-Za-z0-9_./-]*$`)
	yesAndNo   = map[string]string{"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}
	neededKeys = []string{"repository", "repository_id", "environments.name", "state.backend.type", "state.backend.config",
		"drift.ignore.address", "drift.ignore.reason", "drift.ignore.until"}
)

// form is the remedy for a value of another kind than the expected one: how to write that
// very value, where that is clear.
func (d *decoder) form(v value, kind strictyaml.Kind) string {
	switch {
	case v.Kind == strictyaml.String && kind == strictyaml.Number && digits().MatchString(v.Text):
		return "remove the quotes: " + strictyaml.Short(v.Text)
	case v.Kind == strictyaml.String && kind == strictyaml.Bool:
		lower := strings.ToLower(v.Text)
		if lower == "true" || lower == "false" {
			return "remove the quotes: " + lower
		}
		if means, ok := yesAndNo[lower]; ok {
			return fmt.Sprintf("YAML 1.2 reads %s as text: write %s", v.Text, means)
		}
	case (v.Kind == strictyaml.Number || v.Kind == strictyaml.Bool) && kind == strictyaml.String:
		return fmt.Sprintf("write %q in quotes", strictyaml.Short(v.Source))
	case v.Kind == strictyaml.String && kind == strictyaml.Array && v.Text != "":
		item := v.Text
		if !plainItem().MatchString(item) {
			item = fmt.Sprintf("%q", item)
		}
		return "write [" + strictyaml.Short(item) + "]"
	}
	return "write " + kind.String() + d.orRemove(v)
}

// orRemove offers to leave out what may be left out.
func (d *decoder) orRemove(v value) string {
	key := indexes().ReplaceAllString(v.name, "")
	switch {
	case v.name == "", slices.Contains(neededKeys, key), d.file == ManagerFile && key == "environments":
		return ""
	case strings.HasSuffix(v.name, "]"):
		return ", or remove the item"
	}
	return ", or remove the key"
}
