package text

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSpellings holds the forms against literals that other programs have
// printed: python3's json.dumps and urllib.parse.quote, node's encodeURIComponent
// and encodeURI, PHP's json_encode and htmlspecialchars, bash's printf %q, xxd
// and iconv | base64.
func TestSpellings(t *testing.T) {
	t.Parallel()
	const secret = `p@s"s'<w>ö/d&1 ${x}`
	mask := NewMatcher(Spellings(secret, 4))
	for name, written := range map[string]string{
		"plain":                     secret,
		"JSON of Go":                `p@s\"s'\u003cw\u003eö/d\u00261 ${x}`,
		"JSON of jq and node":       `p@s\"s'<w>ö/d&1 ${x}`,
		"JSON of Python":            `p@s\"s'<w>\u00f6/d&1 ${x}`,
		"JSON of PHP":               `p@s\"s'<w>\u00f6\/d&1 ${x}`,
		"JSON in JSON":              `p@s\\\"s'<w>ö/d&1 ${x}`,
		"JSON of Go in JSON":        `p@s\\\"s'\\u003cw\\u003eö/d\\u00261 ${x}`,
		"HCL":                       `p@s\"s'<w>ö/d&1 $${x}`,
		"query":                     `p%40s%22s%27%3Cw%3E%C3%B6%2Fd%261+%24%7Bx%7D`,
		"query in small letters":    `p%40s%22s%27%3cw%3e%c3%b6%2fd%261+%24%7bx%7d`,
		"quote of Python":           `p%40s%22s%27%3Cw%3E%C3%B6%2Fd%261%20%24%7Bx%7D`,
		"encodeURIComponent":        `p%40s%22s'%3Cw%3E%C3%B6%2Fd%261%20%24%7Bx%7D`,
		"user information":          `p%40s%22s%27%3Cw%3E%C3%B6%2Fd&1%20$%7Bx%7D`,
		"twice percent-encoded":     `p%2540s%2522s%2527%253Cw%253E%25C3%25B6%252Fd%25261%2520%2524%257Bx%257D`,
		"htmlspecialchars":          `p@s&quot;s&#39;&lt;w&gt;ö/d&amp;1 ${x}`,
		"HTML of Go":                `p@s&#34;s&#39;&lt;w&gt;ö/d&amp;1 ${x}`,
		"XML":                       `p@s&quot;s&apos;&lt;w&gt;ö/d&amp;1 ${x}`,
		"HTML of Python":            `p@s&quot;s&#x27;&lt;w&gt;ö/d&amp;1 ${x}`,
		"HTML with quotes as is":    `p@s"s'&lt;w&gt;ö/d&amp;1 ${x}`,
		"shell quotes":              `p@s"s'\''<w>ö/d&1 ${x}`,
		"printf %q":                 `p@s\"s\'\<w\>ö/d\&1\ \$\{x\}`,
		"YAML quotes":               `p@s"s''<w>ö/d&1 ${x}`,
		"JSON of .NET":              `p@s\u0022s\u0027\u003Cw\u003E\u00F6/d\u00261 ${x}`,
		"numeric entities":          `p@s&#34;s&#39;&#60;w&#62;&#246;/d&#38;1 ${x}`,
		"entities of OWASP":         `p@s&#x22;s&#x27;&#x3c;w&#x3e;&#xf6;&#x2f;d&#x26;1 ${x}`,
		"xxd with blanks":           fmt.Sprintf("% x", secret),
		"openssl with colons":       strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", secret), " ", ":")),
		"all percent-encoded":       strings.ToUpper("%" + strings.ReplaceAll(fmt.Sprintf("% x", secret), " ", "%")),
		"C escapes":                 `\x` + strings.ReplaceAll(fmt.Sprintf("% x", secret), " ", `\x`),
		"base64":                    base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 for URLs, no pads":  base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 behind a user":      base64.StdEncoding.EncodeToString([]byte("robin:" + secret)),
		"base64 inside of a longer": base64.StdEncoding.EncodeToString([]byte("to" + secret + "ken")),
		"base64 twice":              base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(secret)))),
		"base64 of UTF-16":          "cABAAHMAIgBzACcAPAB3AD4A9gAvAGQAJgAxACAAJAB7AHgAfQA=",
	} {
		got := mask.Replace("before "+written+" after", "***")
		shown := strings.TrimSuffix(strings.TrimPrefix(got, "before "), " after")
		// Base64 leaves the characters that hold bits of the neighbors.
		if !strings.Contains(shown, "***") || len(shown) > 24 {
			t.Errorf("%s: %q is shown as %q", name, written, got)
		}
	}
	digits := hex.EncodeToString([]byte(secret))
	for _, form := range []string{digits, strings.ToUpper(digits)} {
		if got := mask.Replace("0x"+form, "***"); got != "0x***" {
			t.Errorf("hexadecimal is shown as %q", got)
		}
	}
}

func TestSpellingsOfLines(t *testing.T) {
	t.Parallel()
	const key = "-----BEGIN KEY-----\nline-one-of-it\n}\n"
	mask := NewMatcher(Spellings(key, 4))
	for in, want := range map[string]string{
		"see line-one-of-it }": "see *** }",
		key:                    "***\n",
		base64.StdEncoding.EncodeToString([]byte(key)):      "***",
		"x " + hex.EncodeToString([]byte("line-one-of-it")): "x ***",
		`"-----BEGIN KEY-----\nline-one-of-it\n}\n"`:        `"***"`,
	} {
		if got := mask.Replace(in, "***"); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
	if got := Spellings("abc", 4); len(got) != 0 {
		t.Errorf("too short a secret has the forms %q", got)
	}
}

func TestLongSecretsHaveFewForms(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("0123456789abcdef", 64<<10)
	total := 0
	for _, form := range Spellings(secret, 12) {
		total += len(form)
	}
	if total > 12*len(secret) {
		t.Errorf("%d bytes of forms for %d bytes", total, len(secret))
	}
}

func FuzzSpellings(f *testing.F) {
	f.Add(`p@s"s'<w>`, "x")
	f.Add("line\nline two\r\n", "\xff")
	f.Fuzz(func(t *testing.T, secret, around string) {
		forms := Spellings(secret, 4)
		seen := map[string]bool{}
		for _, form := range forms {
			if len(form) < MinSecret || seen[form] {
				t.Errorf("form %q of %q", form, secret)
			}
			seen[form] = true
		}
		whole := strings.TrimSpace(secret)
		if strings.Contains(whole, "*") {
			return // the mask itself could spell it
		}
		if got := NewMatcher(forms).Replace(around+whole+around, "***"); len(whole) >= MinSecret && strings.Contains(got, whole) {
			t.Errorf("%q shows %q", got, whole)
		}
	})
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "\x1b[1;31mred\x1b[0m": "red", "\u009b31mred": "red", "\x1b]0;title\atext": "text", "\x1b]8;;http://x\x1b\\link": "link",
		"\x1b(Bset": "set", "\x1bcreset": "reset", "\x1bPq#0\x1b\\x": "x", "\x1b[31\nx": "\nx", "\x1b]0;never ends\nx": "\nx", "ö\u00a0é": "ö\u00a0é", "\x1b": "", "\x1b[": "",
		"\x1b\x1b[0mx": "x", "\u0090data\u009cx": "x", "\u009fdata\x1b\\x": "x", "\x1b]0;\rx": "\rx", "\x1b]0;" + strings.Repeat("y", 5000) + "\ax": "x",
	} {
		if got := StripEscapes(in); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
	if n, _ := Escape("\x1b]" + strings.Repeat("x", 2*maxEscape)); n != 0 {
		t.Errorf("a sequence of %d bytes is hidden", n)
	}
}

func TestWrappedSecrets(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("session-token/+", 20)
	mask := NewMatcher(Spellings(secret, 4))
	for _, column := range []int{64, 76} {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		for line := range slices.Chunk([]byte(encoded), column) {
			if got := mask.Replace(string(line), "***"); len(line) >= 2*minFragment && got != "***" {
				t.Errorf("wrapped at %d, %q is shown as %q", column, line, got)
			}
		}
	}
}

func TestStripUnseen(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"hun\x00ter2": "hunter2", "hun\x07\x0b\x0e\x7f\u0085ter2": "hunter2", "hun\u200b\u00ad\u2060\ufeffter2": "hunter2", "a\n\tb\r": "a\n\tb\r", "äö€😀": "äö€😀", "\xff\xfe": "\xff\xfe",
	} {
		if got := StripUnseen(in); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
}
