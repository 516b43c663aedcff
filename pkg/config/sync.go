package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/retry"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

const (
	syncExample = "sources: [{name: billing, type: csv, path: billing.csv, key: repository, fields: {customer_tier: {from: plan}}}]"
	// Bounds of sync.yml. The map of a large catalog of plans has some hundred entries.
	maxSyncBytes = 1 << 20
	maxSyncNodes = 20_000
	maxSources   = 50
)

var (
	sourceForm    = form{1, 60, text.Pattern(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`), "write a name of lower-case letters, digits and -"}
	variableForm  = form{1, 100, text.Pattern(`^[A-Za-z_][A-Za-z0-9_]*$`), "write the name of an environment variable, and never the secret itself"}
	headerForm    = form{1, 100, text.Pattern(`^[A-Za-z0-9-]+$`), "write the name of a header, such as X-Api-Key"}
	parameterForm = form{1, 100, text.Pattern(`^[A-Za-z0-9_.\[\]-]+$`), "write the name of a parameter of the address, such as cursor"}
	sysTableForm  = form{1, 80, text.Pattern(`^[a-z0-9_]+$`), "write the name of a table, such as cmdb_ci_service"}
	percentForm   = form{2, 4, text.Pattern(`^[0-9]+%$`), `write a part of the repositories, such as "10%"`}
)

// ownVariables are names of secrets that no source gets: who can change sync.yml could send them anywhere.
var ownVariables = []string{"METAPIPE_", "GITHUB_", "ACTIONS_", "AWS_", "RUNNER_", "TF_", "SOURCE_REPOS_", "MANAGER_REPO_", "INBOX_"}

// LoadSync reads sync.yml of the manager directory.
func LoadSync(dir string) (sourcesync.Config, pipeline.Problems) {
	missing := func(rule, message, remedy string) (sourcesync.Config, pipeline.Problems) {
		return sourcesync.Config{}, pipeline.Problems{{Position: pipeline.Position{File: sourcesync.File}, Rule: rule, Message: message, Remedy: remedy}}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return missing(RuleUnreadable, fmt.Sprintf("the manager directory cannot be read: %v", text.FileError(err)), "name the checkout of the manager")
	}
	defer root.Close()
	raw, err := readBounded(root, sourcesync.File, maxSyncBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(RuleMissingPath, "there is no "+sourcesync.File+", so there are no sources", "create it beside "+ManagerFile+", for example with: "+syncExample)
	}
	if err != nil {
		return missing(RuleUnreadable, fmt.Sprintf("the file cannot be read: %v", text.FileError(err)), "make it a plain file in the manager directory, with read permission")
	}
	return ParseSync(raw)
}

// ParseSync reads the content of sync.yml.
func ParseSync(raw []byte) (sourcesync.Config, pipeline.Problems) {
	node, problems := strictyaml.Parse(sourcesync.File, raw, strictyaml.Options{Bytes: maxSyncBytes, Depth: 8, Nodes: maxSyncNodes, Example: syncExample, PlainWords: true})
	if node == nil {
		return sourcesync.Config{}, problems
	}
	d := &syncDecoder{decoder{file: sourcesync.File}}
	c := sourcesync.Config{MaxChange: sourcesync.DefaultMaxChange}
	d.read(top(node), d.fields(&c))
	d.together(node, &c)
	problems = append(problems, d.problems...)
	sortProblems(problems)
	return c, problems
}

// syncDecoder is the decoder of sync.yml.
type syncDecoder struct{ decoder }

func (d *syncDecoder) fields(c *sourcesync.Config) fields {
	return fields{
		"organizations": func(v value) { d.organizations(v, &c.Organizations) },
		"max_change": func(v value) {
			var s string
			if d.matched(v, &s, percentForm); s != "" {
				n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
				if err != nil || n < 1 || n > 100 {
					d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, s), `write 1% to 100%`)
					return
				}
				c.MaxChange = n
			}
		},
		"sources":    func(v value) { d.list(v, func(item value) { d.source(item, c) }) },
		"properties": func(v value) { d.propertyRules(v, c) },
	}
}

// organizations reads logins of organizations.
func (d *decoder) organizations(v value, to *[]string) {
	d.list(v, func(item value) {
		var name string
		if d.matched(item, &name, organizationForm); name != "" {
			*to = append(*to, name)
		}
	})
}

func (d *syncDecoder) source(v value, c *sourcesync.Config) {
	s := sourcesync.SourceConfig{Where: pipeline.Position{File: d.file, Line: v.at.Line, Column: v.at.Column}}
	before := len(d.problems)
	d.read(v, d.sourceFields(&s))
	if v.Kind != strictyaml.Object || len(d.problems) > before {
		return
	}
	if s.Type == sourcesync.Teams && s.Key == "" {
		s.Key = sourcesync.KeyID
	}
	if s.KeyField == "" {
		s.KeyField = string(s.Key)
	}
	d.checkSource(v, s)
	if slices.ContainsFunc(c.Sources, func(o sourcesync.SourceConfig) bool { return o.Name == s.Name }) {
		d.add(v.at, RuleDuplicate, fmt.Sprintf("there are two sources with the name %q", s.Name), "write another name")
		return
	}
	c.Sources = append(c.Sources, s)
}

func (d *syncDecoder) sourceFields(s *sourcesync.SourceConfig) fields {
	line := func(to *string) func(value) { return func(v value) { d.matched(v, to, lineForm) } }
	of := func(to *string, f form) func(value) { return func(v value) { d.matched(v, to, f) } }
	return fields{
		"name": of(&s.Name, sourceForm),
		"type": func(v value) {
			t, _ := d.choice(v, words(sourcesync.Types)...)
			s.Type = sourcesync.Type(t)
		},
		"key": func(v value) {
			k, _ := d.choice(v, words(sourcesync.Keys)...)
			s.Key = sourcesync.Key(k)
		},
		"key_field":      line(&s.KeyField),
		"fields":         func(v value) { d.sourceValues(v, s) },
		"min_rows":       func(v value) { d.count(v, &s.MinRows, sourcesync.MaxRows) },
		"path":           func(v value) { s.Path, _ = d.path(v) },
		"rows":           line(&s.Rows),
		"url":            func(v value) { d.address(v, &s.URL) },
		"ca_file":        func(v value) { s.CAFile, _ = d.path(v) },
		"user_env":       func(v value) { d.variable(v, &s.UserEnv) },
		"password_env":   func(v value) { d.variable(v, &s.PasswordEnv) },
		"token_env":      func(v value) { d.variable(v, &s.TokenEnv) },
		"token_header":   of(&s.TokenHeader, headerForm),
		"next":           line(&s.Next),
		"next_parameter": of(&s.NextParameter, parameterForm),
		"total":          line(&s.Total),
		"page_size":      func(v value) { d.count(v, &s.PageSize, 10_000) },
		"start_tls":      func(v value) { s.StartTLS = d.boolean(v) },
		"bind_dn":        line(&s.BindDN),
		"base":           line(&s.Base),
		"filter":         line(&s.Filter),
		"members_of":     line(&s.MembersOf),
		"table":          of(&s.Table, sysTableForm),
		"query":          line(&s.Query),
	}
}

// count reads a number above 0.
func (d *decoder) count(v value, to *int, most int64) {
	n, ok := d.number(v)
	if ok && (n < 1 || n > most) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %d", v.name, n), fmt.Sprintf("write a number from 1 to %d", most))
		return
	}
	*to = int(n)
}

// variable reads the name of an environment variable with a secret for a source.
func (d *decoder) variable(v value, to *string) {
	var name string
	if d.matched(v, &name, variableForm); name == "" {
		return
	}
	upper := strings.ToUpper(name)
	if slices.ContainsFunc(ownVariables, func(prefix string) bool { return strings.HasPrefix(upper, prefix) }) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is a variable of metapipe, of the tool or of the runner", v.name, name), "give the secret of the source another name, such as BILLING_API_KEY")
		return
	}
	*to = name
}

// address reads the address of a server. It must not hold a secret, since it stands in the file.
func (d *decoder) address(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || !slices.Contains([]string{"https", "http", "ldap", "ldaps"}, u.Scheme):
		d.add(v.at, RuleValue, v.name+" is not the address of a server", "write, for example: https://billing.example.com/api/customers")
	case u.User != nil:
		d.add(v.at, RuleValue, v.name+" holds a name or a password", "name environment variables with user_env, password_env or token_env, and remove it")
	case u.Scheme == "http" && !retry.Near(u.Hostname()):
		d.add(v.at, RuleValue, v.name+" is not encrypted", "write https://; http:// is for this machine alone")
	default:
		*to = s
	}
}

func (d *syncDecoder) sourceValues(v value, s *sourcesync.SourceConfig) {
	d.entries(v, propertyForm, func(name string, item value) {
		if slices.ContainsFunc(s.Fields, func(o sourcesync.Field) bool { return strings.EqualFold(o.Property, name) }) {
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s has %q twice: GitHub compares names without regard to case", v.name, name), "keep one of them")
			return
		}
		f := sourcesync.Field{Property: name, OnMissing: sourcesync.MissingKeep, Where: pipeline.Position{File: d.file, Line: item.at.Line, Column: item.at.Column}}
		d.read(item, d.fieldFields(&f))
		if item.Kind == strictyaml.Object && item.Get("from") == nil {
			d.add(item.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", item.name, "from"), "name the field of the source")
		}
		s.Fields = append(s.Fields, f)
	})
}

func (d *syncDecoder) fieldFields(f *sourcesync.Field) fields {
	return fields{
		"from":   func(v value) { d.matched(v, &f.From, lineForm) },
		"trim":   func(v value) { f.Trim = d.boolean(v) },
		"lower":  func(v value) { f.Lower = d.boolean(v) },
		"prefix": func(v value) { d.matched(v, &f.Prefix, lineForm) },
		"map": func(v value) {
			f.Map = map[string]string{}
			d.entries(v, lineForm, func(from string, item value) {
				var to string
				if d.matched(item, &to, lineForm); to != "" {
					f.Map[from] = to
				}
			})
		},
		"on_missing": func(v value) {
			if s, ok := d.choice(v, string(sourcesync.MissingKeep), string(sourcesync.MissingReport), string(sourcesync.MissingUnset)); ok {
				f.OnMissing = sourcesync.Missing(s)
			}
		},
	}
}

func (d *syncDecoder) propertyRules(v value, c *sourcesync.Config) {
	d.entries(v, propertyForm, func(name string, item value) {
		if slices.ContainsFunc(c.Properties, func(o sourcesync.PropertyRule) bool { return strings.EqualFold(o.Name, name) }) {
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s has %q twice: GitHub compares names without regard to case", v.name, name), "keep one of them")
			return
		}
		rule := newPropertyRule(name)
		rule.Where = pipeline.Position{File: d.file, Line: item.at.Line, Column: item.at.Column}
		d.read(item, d.ruleFields(&rule))
		c.Properties = append(c.Properties, rule)
	})
}

func newPropertyRule(name string) sourcesync.PropertyRule {
	return sourcesync.PropertyRule{Name: name, OnConflict: sourcesync.First, ChangedByHand: sourcesync.BySource}
}

func (d *syncDecoder) ruleFields(rule *sourcesync.PropertyRule) fields {
	choose := func(to *string, words ...string) func(value) {
		return func(v value) {
			if s, ok := d.choice(v, words...); ok {
				*to = s
			}
		}
	}
	return fields{
		"sources": func(v value) {
			d.list(v, func(item value) {
				var name string
				if d.matched(item, &name, sourceForm); name != "" {
					rule.Sources = append(rule.Sources, name)
				}
			})
		},
		"on_conflict":     choose(&rule.OnConflict, sourcesync.First, sourcesync.ReportOnly),
		"changed_by_hand": choose(&rule.ChangedByHand, sourcesync.BySource, sourcesync.ByHand),
	}
}

// words are the texts of a list of names.
func words[T ~string](list []T) (all []string) {
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}
