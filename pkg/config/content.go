package config

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// maxContentPatterns bounds each list: each name of a checkout is compared with all of
// them. The number of required patterns is that of the bits of a word.
const maxContentPatterns = 50

// content reads what repositories may hold, over the defaults. Each list that is given
// takes the place of its default.
func (d *decoder) content(v value, to **pipeline.ContentRules) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	rules := pipeline.DefaultContentRules()
	types := fields{}
	for _, t := range pipeline.ContentTypes {
		types[string(t)] = func(v value) {
			rule := rules.Types[t]
			d.read(v, fields{
				"require": func(v value) { d.contentPatterns(v, &rule.Require) },
				"forbid":  func(v value) { d.contentPatterns(v, &rule.Forbid) },
				"allow":   func(v value) { d.contentPatterns(v, &rule.Allow) },
			})
			rules.Types[t] = rule
		}
	}
	d.read(v, fields{
		"enforce": func(v value) { rules.Enforce = d.boolean(v) },
		"default": func(v value) {
			if s, ok := d.choice(v, string(pipeline.ContentApp), string(pipeline.ContentInfra), string(pipeline.ContentBoth)); ok {
				rules.Default = pipeline.ContentType(s)
			}
		},
		"types": func(v value) { d.read(v, types) },
		"detect": func(v value) {
			d.read(v, fields{
				"app":   func(v value) { d.contentPatterns(v, &rules.App) },
				"infra": func(v value) { d.contentPatterns(v, &rules.Infra) },
			})
		},
		"ignore": func(v value) { d.contentPatterns(v, &rules.Ignore) },
	})
	*to = &rules
}

// contentPatterns reads a list that may be empty.
func (d *decoder) contentPatterns(v value, to *[]string) {
	*to = []string{}
	if v.Kind == strictyaml.Array && len(v.Items) == 0 {
		return
	}
	d.list(v, func(item value) {
		s, ok := d.text(item)
		if !ok {
			return
		}
		if message := pipeline.BadContentPattern(s); message != "" {
			d.add(item.at, RulePath, fmt.Sprintf("%s is %q, which %s", item.name, strictyaml.Short(s), message),
				`write a path of the repository such as "src", "**/*.tf" or "`+pipeline.PathPlaceholder+`/*.md"`)
			return
		}
		*to = append(*to, s)
	})
	if len(*to) > maxContentPatterns {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d patterns; at most %d are possible", v.name, len(*to), maxContentPatterns), "name directories in the place of their files")
	}
}

// checkContent warns where nothing says the type of any repository.
func (d *decoder) checkContent(n *strictyaml.Node, m pipeline.Manager) {
	if m.Content == nil || m.Content.Default != "" || m.Properties != nil && m.Properties.Names[pipeline.MeaningContent] != "" {
		return
	}
	at, _ := n.Locate("content")
	d.warn(at, RuleValue, "content has rules for types of repositories, and nothing says which type a repository has", "add properties: {}, or default in content")
}
