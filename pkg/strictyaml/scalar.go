package strictyaml

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// scalar is what a scalar means, or why it may not stand.
type scalar struct {
	kind                  Kind
	text                  string
	rule, message, remedy string
}

var (
	decimalPattern = regexp.MustCompile(`^([-+]?)(\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?$`)
	// oddNumberPattern matches numbers that readers of YAML 1.1, of YAML 1.2 and
	// Terraform's yamldecode understand in different ways: 010 is eight or ten,
	// 1_000 is a number or text.
	oddNumberPattern = regexp.MustCompile(`^[-+]?(0[0-9]+(\.[0-9]*)?|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?)$`)
	infinityPattern  = regexp.MustCompile(`^(?i:[-+]?\.inf|\.nan)$`)
	oldBoolPattern   = regexp.MustCompile(`^(?i:yes|no|on|off|y|n)$`)
)

// maxDigits bounds numbers: Terraform computes with 512 bits, which hold 154
// decimal digits, and an exponent may not blow up memory.
const maxDigits = 100

// resolve gives the meaning of a scalar. Plain ones follow the core schema of
// YAML 1.2; the library's own resolution is not used, since it knows
// timestamps, octal numbers and floats that lose digits.
func resolve(y *yaml.Node) scalar {
	v := y.Value
	switch plainKind(y) {
	case Null:
		return scalar{kind: Null, text: "null"}
	case Bool:
		return scalar{kind: Bool, text: strings.ToLower(v)}
	case Number:
		return resolveNumber(v)
	}
	s := scalar{kind: String, text: v}
	if y.Style == 0 && oldBoolPattern.MatchString(v) {
		s.rule = RuleAmbiguous
		s.message = fmt.Sprintf("%s is text to some readers of YAML and true or false to others", v)
		s.remedy = fmt.Sprintf("write true or false, or %q if it is meant as text", v)
	}
	return s
}

// plainKind is the kind of a scalar: text for everything quoted.
func plainKind(y *yaml.Node) Kind {
	if y.Style&^yaml.TaggedStyle != 0 || y.Style&yaml.TaggedStyle != 0 {
		return String
	}
	switch y.Value {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if decimalPattern.MatchString(y.Value) || oddNumberPattern.MatchString(y.Value) || infinityPattern.MatchString(y.Value) {
		return Number
	}
	return String
}

func resolveNumber(v string) scalar {
	bad := scalar{kind: Number, text: "0", rule: RuleNumber}
	switch {
	case infinityPattern.MatchString(v):
		bad.message = v + " is not a number that can be stored"
		bad.remedy = "write a finite number, or quote it if it is meant as text"
		return bad
	case oddNumberPattern.MatchString(v):
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
	m := decimalPattern.FindStringSubmatch(v)
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
