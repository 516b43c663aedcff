package strictyaml

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/text"
)

// maxOffers bounds how many values are tried for one file.
const maxOffers = 200

// offer returns those of the values that the schema accepts at path, in their order.
// Every value that a remedy names comes from here: what a reader copies must pass.
func (e *explainer) offer(path []string, values ...any) []any {
	var fit []any
	for _, v := range values {
		if e.passes(path, v) {
			fit = append(fit, v)
		}
	}
	return fit
}

// offerText is offer for texts, and returns the first one in quotes.
func (e *explainer) offerText(path []string, texts ...string) (quoted string, ok bool) {
	values := make([]any, len(texts))
	for i, s := range texts {
		values[i] = s
	}
	if fit := e.offer(path, values...); len(fit) > 0 {
		return show(fit[0]), true
	}
	return "", false
}

func (e *explainer) passes(path []string, value any) bool {
	if e.schema.compiled == nil || e.offers >= maxOffers {
		return false
	}
	e.offers++
	found, err := e.schema.violations(with(e.root.Any(), path, value))
	return err == nil && !slices.ContainsFunc(found, func(v violation) bool {
		return len(v.path) >= len(path) && slices.Equal(v.path[:len(path)], path)
	})
}

// with is a copy of a document that has another value at path.
func with(doc any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch doc := doc.(type) {
	case map[string]any:
		m := maps.Clone(doc)
		m[path[0]] = with(m[path[0]], path[1:], value)
		return m
	case []any:
		list := slices.Clone(doc)
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(list) {
			list[i] = with(list[i], path[1:], value)
		}
		return list
	}
	return doc
}

var (
	dashes       = strings.NewReplacer("‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "―", "-", "−", "-")
	groupedDigit = text.Pattern(`([0-9])[  '’_]([0-9])`)
	numberInText = text.Pattern(`[-+]?[0-9]+(?:\.[0-9]+)?`)
)

// repairs are what a text may have been meant as: with plain hyphens and digits, without
// quotes and signs around it, in lower case.
func repairs(s string) []string {
	plain := plainDigits(dashes.Replace(s))
	bare := strings.TrimFunc(plain, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("\"'`“”„‘’«»<>.,;:…", r)
	})
	tight := strings.Join(strings.FieldsFunc(bare, unicode.IsSpace), "")
	var all []string
	for _, c := range []string{plain, bare, strings.ToLower(bare), strings.ToLower(strings.Join(strings.Fields(bare), "-")), tight, strings.ToLower(tight)} {
		if c != s && c != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// plainDigits writes the decimal digits of other scripts as 0 to 9.
func plainDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII && unicode.IsDigit(r) {
			zero := r
			for unicode.IsDigit(zero-1) && r-zero < 9 {
				zero--
			}
			return '0' + r - zero
		}
		return r
	}, s)
}

// numberOf is the one number in a text, such as 2 in "2 instances", or "".
func numberOf(s string) string {
	s = plainDigits(dashes.Replace(s))
	for range 4 { // 1 000 000 has two groups
		s = groupedDigit().ReplaceAllString(s, "$1$2")
	}
	found := numberInText().FindAllString(s, 2)
	if len(found) != 1 {
		return ""
	}
	return strings.TrimPrefix(found[0], "+")
}

// numberRemedy names the number that a text was meant as.
func (e *explainer) numberRemedy(path []string, text string) (string, bool) {
	n := numberOf(text)
	if n == "" || len(e.offer(path, json.Number(n))) == 0 {
		return "", false
	}
	if decimalPattern().MatchString(text) {
		return "", false // it is in quotes
	}
	return fmt.Sprintf("write the number alone: %s", n), true
}
