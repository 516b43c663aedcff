package variables

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// The rules about what other languages write and YAML takes as text. They are
// warnings, and errors where the schema refuses the value.
const (
	RuleTrailingSign       = "trailing-sign"
	RuleForeignComment     = "foreign-comment"
	RuleForeignPlaceholder = "foreign-placeholder"
	RuleSimilarKey         = "similar-key"
	RuleForeignKeyword     = "foreign-keyword"
	RuleForeignNumber      = "foreign-number"
)

const orQuotes = ", or put the whole text in quotes"

// slipRules name the cause better than the schema does.
var slipRules = []string{RuleIndentation, RuleTrailingSign, RuleForeignComment, RuleForeignPlaceholder, RuleSimilarKey, RuleForeignKeyword, RuleForeignNumber}

var (
	trailingSign   = text.Pattern(`^(.*[^\s,;])\s*([,;])[\s,;]*$`)
	commentInValue = text.Pattern(`^(.*?\S)\s+(//|/\*|<!--|--)(\s.*)?$`)
	// groupedNumber(), numbersWithCommas and numbersInRow match what is meant as numbers.
	groupedNumber     = text.Pattern(`^[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$`)
	numbersWithCommas = text.Pattern(`^[-+]?[0-9][0-9.]*(?:\s*,\s*[-+]?[0-9][0-9.]*)+$`)
	numbersInRow      = text.Pattern(`^[-+]?[0-9][0-9.]*(?:[\s;]+[-+]?[0-9][0-9.]*)+$`)
	// keywordKey begins with a word by which other languages set a variable.
	keywordKey = text.Pattern(`^(export|set|let|var|val|local|const|declare|readonly|env|ENV|ARG|SET)[ \t]+([^ \t].*)$`)
	diffKey    = text.Pattern(`^[-+][ \t]*([A-Za-z_].*)$`)
	// loneQuote is a key with a quote at one end only.
	loneQuote = text.Pattern(`^(?:["']([^"']+)|([^"']+)["'])$`)
	// openedNowhere is a text with a closing quote or bracket alone; a quote behind a digit is a measure.
	openedNowhere = text.Pattern(`^[^"]*[^"0-9](")$|^[^\[{(]*([\]})])$`)
	commentKey    = text.Pattern(`^(//|/\*|<!--|--\s|;)\s*(.*)$`)
	// foreignPlaceholder is how shells, templates and other tools write a value by name.
	foreignPlaceholder = sync.OnceValue(func() *regexp.Regexp {
		name := `\s*\.?(?:(?:var|vars|local|env|inputs|matrix)\.)?(?:environment|env)\s*`
		return regexp.MustCompile(`(?i)\$\{\{` + name + `\}\}|[$#@%]?\{` + name + `\}|\$\(` + name + `\)|\{%` + name + `%\}|%(?:environment|env)%|\[\[` + name +
			`\]\]|<(?:environment|env)>|\$(?:environment|env)\b`)
	})
)

// ownPlaceholder hides our own placeholder, whose inside looks like {environment}, and
// keeps the length of the text.
var ownPlaceholder = strings.NewReplacer("${{", "${{", "{{", "\x00\x00")

// checkSlips warns of text that was probably meant as something else.
func checkSlips(file string, root *strictyaml.Node) (problems pipeline.Problems) {
	warn := func(at pipeline.Position, rule, message, remedy string) {
		problems = append(problems, placeholderProblem(file, at, rule, message, remedy))
	}
	root.Walk(func(path []string, n *strictyaml.Node) {
		at, _ := root.Locate(path...)
		checkKeys(n, warn)
		switch {
		case n.Kind == strictyaml.Object && len(n.Entries) == 1 && n.Entries[0].Key == "environment" && n.Entries[0].Value.Kind == strictyaml.Null && len(path) > 0:
			warn(at, RuleForeignPlaceholder, "{environment} without quotes is a map to YAML", `write "{{ environment }}", with the quotes`)
		case n.Kind == strictyaml.String:
			if rule, message, remedy := slipOf(n); message != "" {
				warn(at, rule, message, remedy)
			}
		case n.Kind == strictyaml.Array:
			for _, item := range n.Items {
				if numbersInRow().MatchString(item.Source) {
					numbers := strings.Join(strings.FieldsFunc(item.Source, func(r rune) bool { return unicode.IsSpace(r) || r == ';' }), ", ")
					warn(pipeline.Position{Line: item.Line, Column: item.Column}, RuleForeignNumber, fmt.Sprintf("%q is one text: a comma is missing between its numbers", strictyaml.Short(item.Source)),
						fmt.Sprintf("write %s, or an item for each", strictyaml.Short(numbers))+orQuotes)
				}
			}
		}
	})
	return problems
}

// maxSlipText is the longest text, in bytes, in which slips are looked for: longer ones
// are scripts and certificates, which no one types in.
const maxSlipText = 8 << 10

// slipOf looks at one text. What stands in quotes is meant so, but for placeholders.
func slipOf(n *strictyaml.Node) (rule, message, remedy string) {
	if len(n.Text) > maxSlipText || strings.Contains(n.Text, "{{{") {
		return "", "", "" // checkText has words for it
	}
	if at := foreignPlaceholder().FindStringIndex(ownPlaceholder.Replace(n.Text)); at != nil {
		found := n.Text[at[0]:at[1]]
		meant := n.Text[:at[0]] + "{{ environment }}" + n.Text[at[1]:]
		return RuleForeignPlaceholder, fmt.Sprintf("%q is not how variables.yml writes the placeholder of the environment", found), "write " + strictyaml.Quote(meant)
	}
	if n.Source == "" {
		return "", "", ""
	}
	if m := commentInValue().FindStringSubmatch(n.Source); m != nil {
		return RuleForeignComment, fmt.Sprintf("%q begins no comment in YAML, so it is part of the value", m[2]),
			fmt.Sprintf("write %s #%s"+orQuotes, strictyaml.Short(m[1]), strictyaml.Short(strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(m[3], "*/"), "-->"), " ")))
	}
	if groupedNumber().MatchString(n.Source) {
		return RuleForeignNumber, fmt.Sprintf("%q has a comma, so it is text and no number to YAML", strictyaml.Short(n.Source)),
			fmt.Sprintf("write %s, or [%s] if it is a list", strictyaml.Short(strings.ReplaceAll(n.Source, ",", "")), strictyaml.Short(n.Source)) + orQuotes
	}
	if numbersWithCommas().MatchString(n.Source) {
		return RuleForeignNumber, fmt.Sprintf("%q has a comma, so it is text and no number to YAML", strictyaml.Short(n.Source)),
			fmt.Sprintf("write [%s] if it is a list, or a point for a fraction", strictyaml.Short(n.Source)) + orQuotes
	}
	if m := openedNowhere().FindStringSubmatch(n.Source); m != nil {
		return RuleTrailingSign, fmt.Sprintf("%q ends with %s, which nothing opens", strictyaml.Short(n.Source), m[1]+m[2]), "open it before the text, or remove it" + orQuotes
	}
	if m := trailingSign().FindStringSubmatch(n.Source); m != nil {
		what := map[string]string{",": "comma", ";": "semicolon"}[m[2]]
		return RuleTrailingSign, fmt.Sprintf("%q ends with a %s, which is part of the value to YAML", strictyaml.Short(n.Source), what),
			fmt.Sprintf("write %s"+orQuotes, strictyaml.Short(m[1]))
	}
	return "", "", ""
}

// checkKeys looks at the keys of one map: at each alone, and at pairs that look alike.
func checkKeys(n *strictyaml.Node, warn func(at pipeline.Position, rule, message, remedy string)) {
	first := make(map[string]strictyaml.Entry, len(n.Entries))
	for _, e := range n.Entries {
		key := strictyaml.Short(e.Key)
		trimmed := strings.TrimSpace(e.Key)
		other, taken := first[looks(e.Key)]
		switch m := commentKey().FindStringSubmatch(e.Key); {
		case m != nil:
			warn(e.KeyPlace(), RuleForeignComment, fmt.Sprintf("%q begins no comment in YAML, so the line is a key and a value", strings.TrimSpace(m[1])), "begin the line with # if it is a comment")
		case diffKey().MatchString(e.Key):
			warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %q begins with %c, as a line of a diff does", key, e.Key[0]),
				fmt.Sprintf("write %s", strictyaml.Short(diffKey().FindStringSubmatch(e.Key)[1])))
		case loneQuote().MatchString(e.Key):
			m := loneQuote().FindStringSubmatch(e.Key)
			warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %s has a quote at one end only, which belongs to the key", key), fmt.Sprintf("write %s", strictyaml.Short(m[1]+m[2])))
		case keywordKey().MatchString(e.Key):
			m := keywordKey().FindStringSubmatch(e.Key)
			warn(e.KeyPlace(), RuleForeignKeyword, fmt.Sprintf("%q is one key to YAML, which has no %q", key, m[1]), fmt.Sprintf("write %s", strictyaml.Short(m[2])))
		case taken:
			warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %q looks like %q of line %d, and is another key", key, strictyaml.Short(other.Key), other.Line),
				"keep one of them, or give one another name")
		case trimmed != e.Key:
			warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %q begins or ends with a blank", key), fmt.Sprintf("write %s", strictyaml.Short(trimmed)))
		case strings.HasSuffix(trimmed, ":"):
			warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %q ends with a colon of its own", key), fmt.Sprintf("write %s: with one colon", strictyaml.Short(strings.TrimRight(trimmed, ": "))))
		default:
			if r := foreignLetter(e.Key); r != 0 {
				warn(e.KeyPlace(), RuleSimilarKey, fmt.Sprintf("the key %q mixes alphabets: it holds %q (U+%04X)", key, r, r), "type the key again in one alphabet")
			}
		}
		if !taken {
			first[looks(e.Key)] = e
		}
	}
}

// looks is a key as a reader sees it: without case, outer blanks and invisible characters.
func looks(key string) string {
	var sight text.Sight
	return strings.ToLower(strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if sight.Hidden(r) && r != ' ' {
			return -1
		}
		return r
	}, key)), " "))
}

// foreignLetter is a Greek or Cyrillic letter of a word with Latin letters.
func foreignLetter(s string) rune {
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Latin, r) }) {
		return 0
	}
	for _, r := range s {
		if unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee) {
			return r
		}
	}
	return 0
}

// promote makes an error of a warning about a value or key that the schema refuses:
// the remedy of the warning is the right one.
func promote(problems, refused pipeline.Problems) {
	for i, p := range problems {
		if slices.Contains(slipRules, p.Rule) && slices.ContainsFunc(refused, func(q pipeline.Problem) bool { return q.Position == p.Position && !q.Warning }) {
			problems[i].Warning = false
			problems[i].Remedy = strings.TrimSuffix(p.Remedy, orQuotes) // the schema refuses the text as well
		}
	}
}
