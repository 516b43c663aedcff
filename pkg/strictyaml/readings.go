package strictyaml

import (
	"math/big"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/text"
)

// reading is what one reader of YAML makes of a plain scalar: a type, and for
// numbers and booleans the value in one form.
type reading struct{ kind, value string }

const (
	readNull      = "null"
	readBool      = "true or false"
	readNumber    = "a number"
	readText      = "text"
	readTime      = "a date"
	readMerge     = "a merge key"
	readDefault   = "a default value"
	octalBase     = 8
	maxReadDigits = 400 // of a scalar that is compared by value
)

func pattern(alternatives ...string) func() *regexp.Regexp {
	return text.Pattern(`^(?:` + strings.Join(alternatives, "|") + `)$`)
}

// The resolvers of https://yaml.org/type/ (YAML 1.1). Two repairs: a float needs
// a digit beside its point and holds one point only, as all implementations have
// it; and a base 60 number may begin with 0, as some have it.
var (
	nullPattern   = pattern(`~`, `null`, `Null`, `NULL`, ``)
	bool11Pattern = pattern(`y|Y|yes|Yes|YES|n|N|no|No|NO`, `true|True|TRUE|false|False|FALSE`, `on|On|ON|off|Off|OFF`)
	int11Pattern  = pattern(`[-+]?0b[01_]+`, `[-+]?0[0-7_]+`, `[-+]?(?:0|[1-9][0-9_]*)`, `[-+]?0x[0-9a-fA-F_]+`, base60)
	float11       = pattern(`[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?`, signedPoint, base60+`\.[0-9_]*`)
	base60        = `[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+`
	signedPoint   = `[-+]?\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?`
	pointFirst    = pattern(`[-+]\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?`)
	infinity      = pattern(`[-+]?\.(?:inf|Inf|INF)`, `\.(?:nan|NaN|NAN)`)
	time11Pattern = pattern(`[0-9]{4}-[0-9]{2}-[0-9]{2}`,
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?`)
)

// The core schema of YAML 1.2.2, chapter 10.3.
var (
	bool12Pattern = pattern(`true|True|TRUE|false|False|FALSE`)
	int12Pattern  = pattern(`[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`)
	float12       = pattern(`[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?`)
)

var goNumber = pattern(`[-+]?0[xX][-+]?[0-9a-fA-F_]+`, `[-+]?0[oO][-+]?[0-7_]+`, `[-+]?0[bB][-+]?[01_]+`)

// resolve11 reads as YAML 1.1 does.
func resolve11(v string) reading {
	switch {
	case nullPattern().MatchString(v):
		return reading{kind: readNull}
	case bool11Pattern().MatchString(v):
		return reading{readBool, boolValue(v)}
	case int11Pattern().MatchString(v):
		return reading{readNumber, int11(v)}
	case float11().MatchString(v):
		return reading{readNumber, decimalValue(v)}
	case infinity().MatchString(v):
		return reading{readNumber, strings.TrimPrefix(strings.ToLower(v), "+")}
	case time11Pattern().MatchString(v):
		return reading{kind: readTime}
	case v == "<<":
		return reading{kind: readMerge}
	case v == "=":
		return reading{kind: readDefault}
	}
	return reading{readText, v}
}

// resolve11AsUsed reads as the common implementation of YAML 1.1 does: a sign
// directly before the point makes text.
func resolve11AsUsed(v string) reading {
	if pointFirst().MatchString(v) {
		return reading{readText, v}
	}
	return resolve11(v)
}

// resolve12 reads as the core schema of YAML 1.2 does.
func resolve12(v string) reading {
	switch {
	case nullPattern().MatchString(v):
		return reading{kind: readNull}
	case bool12Pattern().MatchString(v):
		return reading{readBool, boolValue(v)}
	case int12Pattern().MatchString(v):
		return reading{readNumber, int12(v)}
	case float12().MatchString(v):
		return reading{readNumber, decimalValue(v)}
	case infinity().MatchString(v):
		return reading{readNumber, strings.TrimPrefix(strings.ToLower(v), "+")}
	}
	return reading{readText, v}
}

// readings returns how YAML 1.2 reads a plain scalar, and another reading when
// one of the readers of YAML 1.1 has one.
func readings(v string) (core, other reading, differ bool) {
	core = resolve12(v)
	for _, other := range []reading{resolve11(v), resolve11AsUsed(v)} {
		if other != core {
			return core, other, true
		}
	}
	if other := readByGo(v); core.kind == readText && other.kind != readText {
		return core, other, true
	}
	return core, core, false
}

// readByGo reads as the YAML library of Go does, which also takes the prefixes and
// signs of Go's own numbers. Numbers that are too large for it keep their kind.
func readByGo(v string) reading {
	tag := (&yaml.Node{Kind: yaml.ScalarNode, Value: v}).ShortTag()
	switch {
	case tag == "!!int", tag == "!!float", goNumber().MatchString(v):
		return reading{kind: readNumber}
	case tag == "!!timestamp":
		return reading{kind: readTime}
	}
	return reading{readText, v}
}

func boolValue(v string) string {
	switch strings.ToLower(v) {
	case "y", "yes", "true", "on":
		return "true"
	}
	return "false"
}

// int11 writes an integer of YAML 1.1 in decimal digits; one that has no digits
// or is in base 60, which YAML 1.2 never takes for a number, keeps its text.
func int11(v string) string {
	digits := strings.ReplaceAll(strings.TrimLeft(v, "-+"), "_", "")
	sign := strings.HasPrefix(v, "-")
	switch {
	case strings.HasPrefix(digits, "0b"):
		return inBase(sign, digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		return inBase(sign, digits[2:], 16)
	case len(digits) > 1 && digits[0] == '0':
		return inBase(sign, digits[1:], octalBase)
	}
	return inBase(sign, digits, 10)
}

func int12(v string) string {
	digits := strings.TrimLeft(v, "-+")
	sign := strings.HasPrefix(v, "-")
	switch {
	case strings.HasPrefix(digits, "0o"):
		return inBase(sign, digits[2:], octalBase)
	case strings.HasPrefix(digits, "0x"):
		return inBase(sign, digits[2:], 16)
	}
	return inBase(sign, digits, 10)
}

func inBase(negative bool, digits string, base int) string {
	if len(digits) > maxReadDigits {
		return digits
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return digits
	}
	if negative {
		n.Neg(n)
	}
	return n.String()
}

// decimalValue is equal for two readings of one text, which is all that counts:
// a float without underscores is the same number to both.
func decimalValue(v string) string { return strings.ReplaceAll(v, "_", "") }
