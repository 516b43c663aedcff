package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

func (d *decoder) stateFields(s *pipeline.State) fields {
	return fields{
		"directory": func(v value) {
			if p, ok := d.directory(v); ok {
				s.Directory = p
			}
		},
		"bucket":     func(v value) { d.matched(v, &s.Bucket.Name, bucketForm) },
		"region":     func(v value) { d.matched(v, &s.Bucket.Region, regionForm) },
		"prefix":     func(v value) { d.prefix(v, &s.Bucket.Prefix) },
		"kms_key":    func(v value) { d.keyID(v, &s.Bucket.KMSKey) },
		"lock_table": func(v value) { d.matched(v, &s.Bucket.LockTable, tableForm) },
		"backend":    func(v value) { d.backend(v, &s.Backend) },
	}
}

// state reads where states are kept and refuses what cannot be meant together.
func (d *decoder) state(v value, s *pipeline.State) {
	d.read(v, d.stateFields(s))
	if v.Kind != strictyaml.Object {
		return
	}
	if v.Get("directory") != nil && v.Get("bucket") != nil {
		d.add(v.at, RuleValue, "state names both a directory and a bucket", "keep one of the two")
		return
	}
	if v.Get("directory") == nil {
		return // the bucket may come from the environment
	}
	for _, key := range []string{"region", "prefix", "kms_key", "lock_table"} {
		if node := v.Get(key); node != nil {
			d.add(pipeline.Position{Line: node.Line, Column: node.Column}, RuleValue, fmt.Sprintf("state.%s is about a bucket, and the states are in a directory", key),
				"remove it, or name a bucket instead of the directory")
		}
	}
}

func (d *decoder) prefix(v value, to *string) {
	p, ok := d.path(v)
	if !ok {
		return
	}
	if p == "." {
		d.add(v.at, RulePath, v.name+" is empty", "name a folder of the bucket"+d.orRemove(v))
		return
	}
	*to = p
}

// backend reads a template for the place of each target's state.
func (d *decoder) backend(v value, b *pipeline.Backend) {
	before := len(d.problems)
	d.read(v, d.backendFields(b))
	if v.Kind != strictyaml.Object {
		return
	}
	for _, key := range []string{"type", "config"} {
		if v.Get(key) == nil {
			d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, key),
				"write both, such as {type: gcs, config: {bucket: acme-states, prefix: \""+pipeline.PlaceholderCustomer+"/"+pipeline.PlaceholderEnvironment+"\"}}")
		}
	}
	if len(d.problems) == before {
		d.apart(v, *b)
	}
}

func (d *decoder) backendFields(b *pipeline.Backend) fields {
	return fields{
		"type":   func(v value) { d.matched(v, &b.Type, typeForm) },
		"config": func(v value) { d.backendConfig(v, b) },
	}
}

var argumentName = text.Pattern(`^[a-z][a-z0-9_]*$`)

func (d *decoder) backendConfig(v value, b *pipeline.Backend) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	b.Config = make(map[string]string, len(v.Entries))
	for _, e := range v.Entries {
		item := value{Node: e.Value, name: v.name + "." + e.Key, at: e.Place()}
		switch {
		case len(e.Key) > 61 || !argumentName().MatchString(e.Key):
			d.add(e.KeyPlace(), RuleValue, fmt.Sprintf("%q is not the name of an argument", strictyaml.Short(e.Key)), "use the names that the tool's documentation of the backend gives")
		case pipeline.SecretArgument(e.Key):
			d.add(e.KeyPlace(), RuleValue, item.name+" is a credential: the tool would write it into every plan", "pass it through the environment of the jobs, and name that variable in tool.env")
		default:
			if s, ok := d.argument(item); ok {
				b.Config[e.Key] = s
			}
		}
	}
}

// userInfo is a password in a URL.
var userInfo = text.Pattern(`://[^/@]*@`)

func (d *decoder) argument(v value) (string, bool) {
	switch v.Kind {
	case strictyaml.Bool:
		return v.Text, true
	case strictyaml.Number:
		return v.Source, true // an argument is text to the tool: 1.10 stays 1.10
	}
	s, ok := d.text(v)
	if !ok {
		return "", false
	}
	switch {
	case !d.template(v, pipeline.Template(s), d.targetPlaceholders()...):
	case userInfo().MatchString(s):
		d.add(v.at, RuleValue, v.name+" holds a user in its URL: the tool would write it into every plan", "pass credentials through the environment of the jobs, and name those variables in tool.env")
	case len(s) > 1024 || strings.ContainsFunc(s, unicode.IsControl):
		d.add(v.at, RuleValue, v.name+" is longer than 1024 bytes or holds a control character", "write one plain line")
	default:
		return s, true
	}
	return "", false
}

// apart holds that no two targets have the same state. Of a backend that is not known
// here one argument has to name both.
func (d *decoder) apart(v value, b pipeline.Backend) {
	needed := d.targetPlaceholders()
	if !namesTarget(b, needed) {
		next := "use both " + strings.Join(needed, " and ") + " in its config"
		if d.stacked {
			next = "use " + strings.Join(needed, ", ") + " in its config"
		}
		if arguments := locating[b.Type]; arguments != nil {
			next += ", in what says where the state lies: " + strings.Join(arguments, ", ")
		}
		d.add(v.at, RuleValue, v.name+" gives several targets one state", next)
	}
	if p := b.Path(); b.Type == pipeline.BackendLocal && !filepath.IsAbs(p) {
		d.add(v.at, RulePath, v.name+".config.path must be absolute: workspaces are removed", "write the whole path of the file")
	}
}

// namesTarget reports whether the place of a state holds all placeholders.
func namesTarget(b pipeline.Backend, placeholders []string) bool {
	hold := func(arguments ...string) bool {
		return !slices.ContainsFunc(placeholders, func(p string) bool {
			return !slices.ContainsFunc(arguments, func(name string) bool { return pipeline.Template(b.Config[name]).Holds(p) })
		})
	}
	if arguments, known := locating[b.Type]; known {
		return hold(arguments...)
	}
	for name := range b.Config {
		if hold(name) {
			return true
		}
	}
	return false
}
