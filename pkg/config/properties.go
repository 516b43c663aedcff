package config

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// Bounds of what each request is compared with.
const (
	maxRegionRules    = 50
	maxRegionPatterns = 50
)

// propertyForm is the name of a custom property.
// https://docs.github.com/en/organizations/managing-organization-settings/managing-custom-properties-for-repositories-in-your-organization
var propertyForm = form{1, pipeline.MaxPropertyName, text.Pattern(`^[A-Za-z0-9_$#-]+$`), "write the name of a custom property: letters, digits, _, -, $ and #"}

// properties reads which custom properties count, over the defaults.
func (d *decoder) properties(v value, to **pipeline.PropertyRules) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	rules := pipeline.DefaultPropertyRules()
	var used map[pipeline.PropertyMeaning]bool // nil: all
	d.read(v, fields{
		"names":         func(v value) { d.propertyNames(v, rules.Names) },
		"use":           func(v value) { used = d.usedProperties(v) },
		"claims":        func(v value) { rules.Claims = d.boolean(v) },
		"default_tools": func(v value) { d.defaultTools(v, &rules.DefaultTools) },
		"regions":       func(v value) { rules.Regions = d.regionRules(v) },
		"region_keys": func(v value) {
			rules.RegionKeys = d.patterns(v, `write a key of variables.yml, or a pattern such as "*region"`)
		},
		"definitions": func(v value) { rules.Definitions = d.propertyDefinitions(v) },
	})
	maps.DeleteFunc(rules.Names, func(m pipeline.PropertyMeaning, _ string) bool { return used != nil && !used[m] })
	for i, key := range rules.RegionKeys {
		rules.RegionKeys[i] = strings.ToLower(key)
	}
	d.checkPropertyNames(v, rules)
	*to = &rules
}

func (d *decoder) propertyNames(v value, names map[pipeline.PropertyMeaning]string) {
	known := fields{}
	for _, meaning := range pipeline.PropertyMeanings {
		known[string(meaning)] = func(v value) {
			var name string
			if d.matched(v, &name, propertyForm); name != "" {
				names[meaning] = name
			}
		}
	}
	d.read(v, known)
}

// usedProperties reads the meanings that are used.
func (d *decoder) usedProperties(v value) map[pipeline.PropertyMeaning]bool {
	var words []string
	for _, meaning := range pipeline.PropertyMeanings {
		words = append(words, string(meaning))
	}
	used := map[pipeline.PropertyMeaning]bool{}
	d.list(v, func(item value) {
		if s, ok := d.choice(item, words...); ok {
			used[pipeline.PropertyMeaning(s)] = true
		}
	})
	return used
}

// checkPropertyNames refuses one property for two meanings: GitHub compares names without
// regard to case.
func (d *decoder) checkPropertyNames(v value, rules pipeline.PropertyRules) {
	for i, meaning := range pipeline.PropertyMeanings {
		for _, other := range pipeline.PropertyMeanings[:i] {
			if name := rules.Names[meaning]; name != "" && strings.EqualFold(name, rules.Names[other]) {
				d.add(v.at, RuleDuplicate, fmt.Sprintf("%s takes the property %q for both %s and %s", v.name, name, other, meaning), "give each meaning a property of its own")
			}
		}
	}
}

// defaultTools reads a list that may be empty: then a customer without the property has
// no tools.
func (d *decoder) defaultTools(v value, to *[]string) {
	*to = []string{}
	if v.Kind == strictyaml.Array && len(v.Items) == 0 {
		return
	}
	d.list(v, func(item value) {
		if s, ok := d.text(item); ok {
			*to = append(*to, s)
		}
	})
}

// checkDefaultTools refuses names that metapipe.yml offers to no one.
func (d *decoder) checkDefaultTools(n *strictyaml.Node, m pipeline.Manager) {
	if m.Properties == nil {
		return
	}
	all := pipeline.Customer{Manager: m, Root: DefaultRoot}
	for _, tool := range m.Properties.DefaultTools {
		if offered := all.OfferedTools(); !slices.Contains(offered, tool) {
			at, _ := n.Locate("properties", "default_tools")
			d.add(at, RuleUnknownStack, fmt.Sprintf("properties.default_tools names %q, which is neither a tool nor a stack of %s", strictyaml.Short(tool), ManagerFile),
				"name one of: "+strings.Join(offered, ", "))
		}
	}
}

// checkAutoDeploy refuses an environment that no push can ever be applied to, since the property
// for it does not count.
func (d *decoder) checkAutoDeploy(n *strictyaml.Node, m pipeline.Manager) {
	if m.Properties != nil && m.Properties.Names[pipeline.MeaningAutoDeploy] != "" {
		return
	}
	for i, rule := range m.Environments {
		if rule.AutoDeploy != "" {
			at, _ := n.Locate("environments", strconv.Itoa(i), "auto_deploy")
			d.add(at, RuleValue, fmt.Sprintf("%q applies pushes only with the property auto_deploy, which %s does not use", rule.Name, ManagerFile),
				"add properties: {}, or auto_deploy to properties.use")
		}
	}
}

func (d *decoder) regionRules(v value) map[string][]string {
	rules := map[string][]string{}
	if !d.is(v, strictyaml.Object) {
		return rules
	}
	if len(v.Entries) == 0 || len(v.Entries) > maxRegionRules {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d values; 1 to %d are possible", v.name, len(v.Entries), maxRegionRules), `write, for example: {eu-only: ["eu-*"]}`)
	}
	for _, e := range v.Entries {
		rules[e.Key] = d.patterns(value{Node: e.Value, name: v.name + "." + strictyaml.Short(e.Key), at: e.Place()}, `write a region, or a pattern such as "eu-*"`)
	}
	return rules
}

func (d *decoder) patterns(v value, remedy string) []string {
	var patterns []string
	d.list(v, func(item value) {
		s, ok := d.text(item)
		if !ok {
			return
		}
		if _, err := path.Match(s, ""); err != nil || strings.ContainsAny(s, "/ \t\r\n") {
			d.add(item.at, RuleValue, fmt.Sprintf("%s is %q, which is not a pattern", item.name, strictyaml.Short(s)), remedy)
			return
		}
		patterns = append(patterns, s)
	})
	if len(patterns) > maxRegionPatterns {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d patterns; at most %d are possible", v.name, len(patterns), maxRegionPatterns), `use "*" to join some`)
	}
	return patterns
}

// VersionsOverlap reports whether a version can fulfill two version constraints. It tries
// the versions that either one names, and their neighbors: where two constraints have a
// version in common, one of these is among them. An unreadable constraint fulfills nothing.
func VersionsOverlap(a, b string) bool {
	first, errA := version.NewConstraint(a)
	second, errB := version.NewConstraint(b)
	if errA != nil || errB != nil {
		return false
	}
	for _, text := range namedVersions(a + "," + b) {
		v, err := version.NewVersion(text)
		if err == nil && first.Check(v) && second.Check(v) {
			return true
		}
	}
	return false
}

// namedVersions are the versions in constraints, and those right before and after them.
func namedVersions(constraints string) []string {
	var all []string
	for one := range strings.SplitSeq(constraints, ",") {
		v, err := version.NewVersion(strings.TrimLeft(one, "=!<>~ "))
		if err != nil {
			continue
		}
		n := v.Segments()
		all = append(all, v.String())
		for _, near := range [][3]int{{n[0], n[1], n[2] + 1}, {n[0], n[1] + 1, 0}, {n[0] + 1, 0, 0}, {n[0], n[1], n[2] - 1}, {n[0], n[1] - 1, lastPatch}, {n[0] - 1, lastPatch, lastPatch}} {
			if near[0] >= 0 && near[1] >= 0 && near[2] >= 0 {
				all = append(all, fmt.Sprintf("%d.%d.%d", near[0], near[1], near[2]))
			}
		}
	}
	return all
}

// lastPatch stands for the newest version before a number.
const lastPatch = 9999
