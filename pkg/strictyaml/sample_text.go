package strictyaml

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

var (
	formatSamples = map[string]string{formatCIDR: "10.0.0.0/16", formatAnyCIDR: "10.0.0.0/16", "email": "team@example.com", "ipv4": "10.0.0.1", "ipv6": "fd00::1",
		"uri": "https://example.com/", "date": "2031-04-05", "hostname": "www.example.com"}
	samplePattern = text.Pattern(`"([^"]+)"|such as ([^\s;,]+)`)
)

// sampleText prefers an example in the description to one made of the pattern.
func sampleText(part map[string]any) string {
	var candidates []string
	description, _ := part["description"].(string)
	for _, m := range samplePattern().FindAllStringSubmatch(description, -1) {
		candidates = append(candidates, m[1]+m[2])
	}
	format, _ := part["format"].(string)
	pattern, _ := part["pattern"].(string)
	candidates = append(candidates, formatSamples[format], "shop", "example", fromPattern(pattern))
	re, err := regexp.Compile(pattern)
	least := int(asNumber(part["minLength"], 1))
	most := int(asNumber(part["maxLength"], math.MaxInt32))
	for _, c := range candidates {
		if err == nil && re.MatchString(c) && len(c) >= least && len(c) <= most && (c != "" || pattern != "") {
			return c
		}
	}
	return strings.Repeat("x", max(min(least, maxKeyLength), 1))
}

// fromPattern makes a short text that a regular expression matches, as a rule.
func fromPattern(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	matching(&b, re)
	return b.String()
}

func matching(b *strings.Builder, re *syntax.Regexp) {
	if b.Len() > maxKeyLength {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= 'a' && 'a' <= re.Rune[i+1] {
				b.WriteByte('a')
				return
			}
		}
		if len(re.Rune) > 0 {
			b.WriteRune(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpPlus, syntax.OpCapture, syntax.OpAlternate:
		matching(b, re.Sub[0])
	case syntax.OpRepeat:
		for range re.Min {
			matching(b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			matching(b, sub)
		}
	}
}

var wordPattern = text.Pattern(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// flowText writes a value as YAML on one line, keys sorted.
func flowText(v any) string {
	switch v := v.(type) {
	case string:
		if _, _, differ := readings(v); wordPattern().MatchString(v) && !differ && resolve12(v).kind == readText {
			return v
		}
		return fmt.Sprintf("%q", v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = flowText(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var entries []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, flowText(key)+": "+flowText(v[key]))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}
