package strictyaml

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/text"
)

// scalar is what a scalar means, or why it may not stand.
type scalar struct {
	kind                  Kind
	text                  string
	rule, message, remedy string
}

var (
	decimalPattern = text.Pattern(`^([-+]?)(\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?$`)
	// otherFormPattern matches numbers with a leading zero or in base 16. Both
	// resolvers may agree on one, but people do not: 007 is seldom meant as seven.
	otherFormPattern = text.Pattern(`^[-+]?(0[0-9]+(\.[0-9]*)?([eE].*)?|0x[0-9a-fA-F]+)$`)
)

// maxDigits bounds numbers: Terraform computes with 512 bits, which hold 154
// decimal digits, and an exponent may not blow up memory.
const maxDigits = 100

// resolve gives the meaning of a scalar. Plain ones follow the core schema of
// YAML 1.2, and are refused where YAML 1.1 reads them in another way; the
// library's own resolution is not used, since it knows timestamps, octal numbers
// and floats that lose digits.
func resolve(y *yaml.Node) scalar {
	v := y.Value
	if !isPlain(y) {
		return scalar{kind: String, text: v}
	}
	core, other, differ := readings(v)
	s := scalar{kind: kindOf(core), text: v}
	switch s.kind {
	case Null:
		s.text = "null"
	case Bool:
		s.text = strings.ToLower(v)
	case Number:
		s = resolveNumber(v)
	}
	if differ {
		s.rule = RuleAmbiguous
		s.message, s.remedy = explainReadings(v, core, other)
	}
	return s
}

// isPlain reports that a scalar stands without quotes and without a tag.
func isPlain(y *yaml.Node) bool { return y.Style == 0 }

func kindOf(r reading) Kind {
	switch r.kind {
	case readNull:
		return Null
	case readBool:
		return Bool
	case readNumber:
		return Number
	}
	return String
}

// plainKind is the kind of a scalar: text for everything quoted.
func plainKind(y *yaml.Node) Kind {
	if !isPlain(y) {
		return String
	}
	return kindOf(resolve12(y.Value))
}

// explainReadings names both readings of a plain scalar.
func explainReadings(v string, core, other reading) (message, remedy string) {
	shown := Short(v)
	quoted := fmt.Sprintf("%q", shown)
	if core.kind == other.kind {
		return fmt.Sprintf("%s is the number %s to some readers of YAML and %s to others", shown, Short(other.value), Short(core.value)),
			"write it as a plain decimal number, or put it in quotes if it is meant as text: " + quoted
	}
	message = fmt.Sprintf("%s is %s to some readers of YAML and %s to others", shown, core.kind, other.kind)
	switch {
	case other.kind == readBool:
		return message, "write true or false, or " + quoted + " if it is meant as text"
	case core.kind == readNumber || other.kind == readNumber:
		return message, "put it in quotes if it is meant as text: " + quoted + ", else write it as a plain decimal number"
	}
	return message, "put it in quotes: " + quoted
}

func resolveNumber(v string) scalar {
	bad := scalar{kind: Number, text: "0", rule: RuleNumber}
	switch {
	case infinity().MatchString(v):
		bad.message = v + " is not a number that can be stored"
		bad.remedy = "write a finite number, or quote it if it is meant as text"
		return bad
	case otherFormPattern().MatchString(v):
		bad.rule = RuleAmbiguous
		bad.message = fmt.Sprintf("%s is read differently by different readers of YAML", Short(v))
		bad.remedy = fmt.Sprintf("put it in quotes if it is meant as text: %q, else write it as a plain decimal number", Short(v))
		return bad
	}
	text, ok := canonical(v)
	if !ok {
		bad.message = fmt.Sprintf("the number %s has more than %d digits", Short(v), maxDigits)
		bad.remedy = "quote it if it is meant as text"
		return bad
	}
	return scalar{kind: Number, text: text}
}

// canonical writes a decimal number in the one form that every reader of YAML
// and JSON understands alike: an optional minus, digits, and a fraction without
// trailing zeros. No digit is lost.
func canonical(v string) (string, bool) {
	m := decimalPattern().FindStringSubmatch(v)
	if m == nil || len(m[2]) > maxDigits+1 {
		return "", false
	}
	whole, fraction, _ := strings.Cut(m[2], ".")
	exponent := 0
	if m[3] != "" {
		e, err := strconv.Atoi(m[3])
		if err != nil || e > 2*maxDigits || e < -2*maxDigits {
			return "", false
		}
		exponent = e
	}
	digits, ok := new(big.Int).SetString("0"+whole+fraction, 10)
	if !ok {
		return "", false
	}
	text := shift(digits.String(), exponent-len(fraction))
	if len(text) > maxDigits {
		return "", false
	}
	if m[1] == "-" && text != "0" {
		text = "-" + text
	}
	return text, true
}

// shift multiplies a natural number in decimal digits by ten to the power of n.
func shift(digits string, n int) string {
	if digits == "0" {
		return digits
	}
	if n >= 0 {
		return digits + strings.Repeat("0", n)
	}
	if missing := -n - len(digits) + 1; missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) + n
	fraction := strings.TrimRight(digits[point:], "0")
	if fraction == "" {
		return digits[:point]
	}
	return digits[:point] + "." + fraction
}
