// Package variables reads variables.yml, which another company writes: bounded
// and strict YAML, checked against the manager's JSON Schema with the line of
// every problem, and turned into what the tool sees for one environment.
package variables

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// The rules of variables.yml beside those of strictyaml and of the schema
// (which begin with "schema-").
const (
	RuleMissingFile           = "missing-file"
	RuleUnreadable            = "unreadable-file"
	RuleNotFile               = "not-a-file"
	RuleMissingEnvironments   = "missing-environments"
	RuleEnvironmentsNotMap    = "environments-not-a-map"
	RuleNoEnvironments        = "no-environments"
	RuleTooManyEnvironments   = "too-many-environments"
	RuleEnvironmentNotMap     = "environment-not-a-map"
	RuleUnknownPlaceholder    = "unknown-placeholder"
	RuleUnfinishedPlaceholder = "unfinished-placeholder"
	RulePlaceholderInKey      = "placeholder-in-key"
	RuleInvisible             = "invisible-character"
	defaultName               = "staging" // of an environment in a sample
	environmentsKey           = "environments"
	maxDepth                  = 32
	maxNodes                  = 10_000
	maxEnvironments           = 32
	defaultBytes              = 256 << 10
	maxBytes                  = 1 << 20
)

// Schema is a compiled JSON Schema of variables.yml.
type Schema = strictyaml.Schema

// Compile compiles the manager's JSON Schema (draft 2020-12 unless it says
// otherwise); name stands in errors. References that lead out of the text are
// errors: nothing is ever loaded.
func Compile(name string, raw []byte) (*Schema, error) { return strictyaml.Compile(name, raw) }

// SchemaProblems turns an error of Compile, or of reading the file, into problems
// with their places.
func SchemaProblems(name string, err error) pipeline.Problems {
	return strictyaml.SchemaProblems(name, err)
}

// CheckSchema finds what a validator passes over in a schema, such as unknown keywords.
func CheckSchema(name string, raw []byte) pipeline.Problems {
	return strictyaml.CheckKeywords(name, raw)
}

// Document is a valid variables.yml. It is immutable and implements
// pipeline.Document.
type Document struct {
	file         string
	schema       *Schema                // or nil
	misplaced    map[string]bool        // entries of environments with a wrong indentation
	covered      []strictyaml.Entry     // top-level entries that belong to environments
	name         string                 // of the environment in samples
	allowed      []pipeline.Environment // that the customer may declare, as far as it is known
	root         *strictyaml.Node
	environments []pipeline.DeclaredEnvironment
}

var _ pipeline.Document = (*Document)(nil)

// Parse reads and checks a variables.yml. Problems name file as their file and
// are ordered by place, at most 100. The document is nil when one of them is an
// error; warnings may stand beside it. Of limits only VariablesBytes is used: 0
// means 256 KiB, and 1 MiB is the most (GitHub's contents API has no larger
// files inline). Without a schema (nil) only the built-in rules hold. Texts with
// placeholders are checked against the schema as each environment will see them.
func Parse(file string, raw []byte, limits pipeline.Limits, schema *Schema) (*Document, pipeline.Problems) {
	return ParseFor(file, raw, limits, schema, nil)
}

// ParseFor is Parse with samples in remedies that use the first of the environments
// that the customer may declare, so that what a customer copies is accepted.
func ParseFor(file string, raw []byte, limits pipeline.Limits, schema *Schema, allowed []pipeline.Environment) (*Document, pipeline.Problems) {
	name := sampleName(allowed)
	root, problems := strictyaml.Parse(file, raw, strictyaml.Options{
		Bytes: byteLimit(limits), Depth: maxDepth, Nodes: maxNodes, Example: sample(schema, name),
	})
	if root == nil {
		return nil, problems.Public()
	}
	d := &Document{file: file, schema: schema, name: name, allowed: allowed, root: root}
	problems = append(problems, d.readEnvironments()...)
	placeholders, found := checkPlaceholders(file, root)
	problems = append(problems, placeholders...)
	problems = appendNew(problems, unseen(problems, checkInvisible(file, root)))
	problems = append(problems, checkSecrets(file, root)...)
	problems = append(problems, d.layeredKeys()...)
	problems = appendNew(problems, unseen(problems, checkSlips(file, root)))
	if schema != nil {
		refused := d.validate(schema, found)
		problems = append(problems, d.levels(refused)...)
		refused = d.withoutMisplaced(refused)
		promote(problems, refused)
		problems = appendNew(problems, refused)
		problems = append(problems, schema.NearMisses(file, root)...)
	}
	problems = strictyaml.Limit(problems).Public()
	if problems.Err() != nil {
		return nil, problems
	}
	return d, problems
}

// Outline is what can be read of a file that Parse may refuse: its environments
// with their places. It is nil when the text is not a map at all.
func Outline(file string, raw []byte, limits pipeline.Limits) *Document {
	root, _ := strictyaml.Parse(file, raw, strictyaml.Options{Bytes: byteLimit(limits), Depth: maxDepth, Nodes: maxNodes})
	if root == nil {
		return nil
	}
	d := &Document{file: file, root: root}
	_ = d.readEnvironments() // Parse reports these problems
	return d
}

func byteLimit(limits pipeline.Limits) int {
	if limits.VariablesBytes <= 0 {
		return defaultBytes
	}
	return min(limits.VariablesBytes, maxBytes)
}

// BlobSHA is the object id that git gives to a file with this content.
func BlobSHA(raw []byte) pipeline.SHA {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(raw))
	h.Write(raw)
	return pipeline.SHA(hex.EncodeToString(h.Sum(nil)))
}

func (d *Document) problem(pos pipeline.Position, rule, message, remedy string) pipeline.Problems {
	pos.File = d.file
	return pipeline.Problems{{Position: pos, Rule: rule, Message: message, Remedy: remedy}}
}

// readEnvironments checks the one key that every variables.yml must have.
func (d *Document) readEnvironments() pipeline.Problems {
	entry, ok := d.root.Entry(environmentsKey)
	if !ok {
		remedy := "add the environments to deploy to: " + d.sample()
		keys := make([]string, 0, len(d.root.Entries))
		for _, e := range d.root.Entries {
			keys = append(keys, e.Key)
		}
		if like := pipeline.Nearest(environmentsKey, keys); like != "" {
			remedy = fmt.Sprintf("did you write %q for %q?", strictyaml.Short(like), environmentsKey)
		}
		at, _ := d.root.Locate()
		return d.problem(at, RuleMissingEnvironments, "the file lacks the key \"environments\"", remedy)
	}
	all := entry.Value
	switch {
	case all.Kind == strictyaml.Null || all.Kind == strictyaml.Object && len(all.Entries) == 0:
		remedy := "name at least one: " + d.sample()
		run := d.below()
		if len(run) == 0 {
			run = d.strays()
		}
		if all.Kind == strictyaml.Null && len(run) > 0 {
			d.covered = run
			remedy = fmt.Sprintf("indent %s: %s to %q", d.lines(run), theyBelong(run), environmentsKey)
		}
		return d.problem(entry.KeyPlace(), RuleNoEnvironments, "no environment is listed under \"environments\"", remedy)
	case all.Kind != strictyaml.Object:
		return d.problem(entry.Place(), RuleEnvironmentsNotMap, "\"environments\" is "+all.Kind.String()+", where a map of environments is expected",
			"write the name of each environment as a key: "+d.sample())
	case len(all.Entries) > maxEnvironments:
		return d.problem(entry.KeyPlace(), RuleTooManyEnvironments,
			fmt.Sprintf("%d environments are listed; at most %d are read", len(all.Entries), maxEnvironments), "remove those that the service does not offer")
	}
	problems, handled := d.outdented(all)
	topKeys, above := d.topKeysAmong(entry)
	problems = append(problems, topKeys...)
	maps.Copy(handled, above)
	d.misplaced = handled
	problems = append(problems, d.sameEnvironments(all)...)
	for _, e := range all.Entries {
		if above[e.Key] {
			continue
		}
		pos := e.KeyPlace()
		pos.File = d.file
		d.environments = append(d.environments, pipeline.DeclaredEnvironment{Name: e.Key, Position: pos})
		if e.Value.Kind != strictyaml.Object && !handled[e.Key] {
			problems = append(problems, d.environmentNotMap(e)...)
		}
	}
	return append(problems, d.strayEnvironments()...)
}

func (d *Document) environmentNotMap(e strictyaml.Entry) pipeline.Problems {
	name := strictyaml.Short(e.Key)
	remedy := "write its settings below it"
	switch entry := d.schema.SampleEntry(environmentsKey, e.Key); {
	case entry != "":
		remedy += ", for example " + entry
	case d.schema == nil:
		remedy += fmt.Sprintf(", or %q for none", name+": {}")
	}
	if e.Value.Kind != strictyaml.Null {
		return d.problem(e.Place(), RuleEnvironmentNotMap, fmt.Sprintf("the environment %q is %s, where a map of its settings is expected", name, e.Value.Kind), remedy)
	}
	if run := d.settingsBelow(e); len(run) > 0 {
		d.covered = run
		remedy = fmt.Sprintf("indent %s if %s to %q", d.lines(run), theyBelong(run), name)
	}
	return d.problem(e.Place(), RuleEnvironmentNotMap, fmt.Sprintf("the environment %q has no value, where a map of its settings is expected", name), remedy)
}

// sample is a small file that the schema accepts.
func (d *Document) sample() string { return sample(d.schema, d.name) }

func sampleName(allowed []pipeline.Environment) string {
	if len(allowed) > 0 {
		return string(allowed[0])
	}
	return defaultName
}

func sample(schema *Schema, name string) string {
	if schema == nil {
		return "environments: {" + name + ": {region: eu-west-1}}"
	}
	if text := schema.Sample(environmentsKey, name); text != "" {
		return text
	}
	return "environments: {" + name + ": …}, with the keys that the schema requires"
}

// validate checks the document against the schema: as written when it has no
// placeholder, else as each environment sees it, since a pattern or a length
// holds for the final text only.
func (d *Document) validate(schema *Schema, placeholders bool) pipeline.Problems {
	var names []pipeline.Environment
	for _, e := range d.environments {
		if env, err := pipeline.ParseEnvironment(e.Name); err == nil {
			names = append(names, env)
		}
	}
	if !placeholders || len(names) == 0 {
		return schema.Validate(d.file, d.root)
	}
	return d.validateEach(schema, names)
}

// validateEach reports a problem that several environments share once, and one
// that only some have with the name of the first.
func (d *Document) validateEach(schema *Schema, names []pipeline.Environment) pipeline.Problems {
	type key struct {
		pos  pipeline.Position
		rule string
	}
	var all pipeline.Problems
	var first []pipeline.Environment // of each problem in all
	having := make(map[key]map[pipeline.Environment]bool)
	for _, env := range names {
		for _, p := range schema.Validate(d.file, substituted(d.root, env)) {
			k := key{p.Position, p.Rule}
			if having[k] == nil {
				having[k] = make(map[pipeline.Environment]bool)
			}
			if len(having[k]) == 0 || having[k][env] && len(having[k]) == 1 {
				all, first = append(all, p), append(first, env)
			}
			having[k][env] = true
		}
	}
	for i, p := range all {
		if len(having[key{p.Position, p.Rule}]) < len(names) {
			all[i].Message += fmt.Sprintf(" (as environment %q sees it)", first[i])
		}
	}
	return all
}

// appendNew adds what the schema says, except where a built-in rule has already
// reported for the same value or the same missing key. What is missing stands at the place of
// the map or of its first key, and says nothing about what is there.
func appendNew(problems, more pipeline.Problems) pipeline.Problems {
	shown := make(map[pipeline.Position]bool, len(problems))
	messages := make(map[string]bool, len(problems))
	for _, p := range problems {
		missing := p.Rule == strictyaml.RuleSchemaRequired || p.Rule == RuleMissingEnvironments
		shown[p.Position] = shown[p.Position] || !p.Warning && !missing
		messages[p.Position.String()+p.Message] = true
	}
	for _, p := range more {
		missing := p.Rule == strictyaml.RuleSchemaRequired
		if missing && messages[p.Position.String()+p.Message] || !missing && shown[p.Position] {
			continue
		}
		problems = append(problems, p)
	}
	return problems
}

// Environments returns the keys of `environments` in file order, as written.
func (d *Document) Environments() []pipeline.DeclaredEnvironment {
	return slices.Clone(d.environments)
}

// Locate implements pipeline.Document.
func (d *Document) Locate(path ...string) (pipeline.Position, bool) {
	pos, exact := d.root.Locate(path...)
	pos.File = d.file
	return pos, exact
}
