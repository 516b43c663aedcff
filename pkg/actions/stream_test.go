package actions_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// obeyed reports whether the runner would find a command in text. It splits
// lines, trims white space and looks for both marks as the runner does.
func obeyed(text string) bool {
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || strings.Contains(line, "##[") {
			return true
		}
	}
	return false
}

// pieces writes text in pieces of n bytes.
func pieces(t *testing.T, w io.Writer, text string, n int) {
	t.Helper()
	for len(text) > 0 {
		part := text[:min(n, len(text))]
		if got, err := io.WriteString(w, part); err != nil || got != len(part) {
			t.Fatalf("wrote %d of %d: %v", got, len(part), err)
		}
		text = text[len(part):]
	}
}

func TestNeutralise(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"::error::x":                 "： :error::x",
		"a\n \t::stop-commands::t\n": "a\n \t: :stop-commands::t\n",
		"a\r::x":                     "a\r: :x",
		"\u00a0\u2003::x":            "\u00a0\u2003: :x",
		"a ##[error]x ##[":           "a ## [error]x ## [",
		"####[x":                     "#### [x",
		":::x":                       ": ::x",
		"module.a::b [1] # ##x":      "module.a::b [1] # ##x",
		": :x":                       ": :x",
		"":                           "",
	} {
		want = strings.ReplaceAll(want, "：", ":")
		for n := 1; n <= 4; n++ {
			var out bytes.Buffer
			pieces(t, actions.Neutralize(&out), in, n)
			if out.String() != want || obeyed(out.String()) {
				t.Errorf("%q in pieces of %d: got %q, want %q", in, n, &out, want)
			}
		}
	}
}

func FuzzNeutralise(f *testing.F) {
	f.Add("a\n::b##[c", 1)
	f.Add("\xc2\xa0::x\r\n\u2028::", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 || n > 64 {
			return
		}
		var out bytes.Buffer
		pieces(t, actions.Neutralize(&out), text, n)
		if obeyed(out.String()) {
			t.Errorf("%q became %q", text, &out)
		}
		if strip := strings.NewReplacer(" ", ""); strip.Replace(out.String()) != strip.Replace(text) {
			t.Errorf("%q lost something: %q", text, &out)
		}
	})
}

func mask(t *testing.T, text string, n int, secrets ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := actions.NewMaskingWriter(&out, secrets)
	pieces(t, w, text, n)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMaskingWriter(t *testing.T) {
	t.Parallel()
	const key = "-----BEGIN KEY-----\nline-one-of-it\nline-two-of-it\n}\n"
	for _, tc := range []struct {
		name, text, want string
		secrets          []string
	}{
		{"plain", "password is hunter22.", "password is ***.", []string{"hunter22"}},
		{"none", "hello", "hello", nil},
		{"empty secret", "hello", "hello", []string{"", "\n"}},
		{"beginning only", "hunter2 hunter22", "hunter2 ***", []string{"hunter22"}},
		{"at the end", "x hunter2", "x hunter2", []string{"hunter22"}},
		{"overlap", "xabcdefx", "x***x", []string{"abcd", "cdef"}},
		{"prefix of another", "abcde abcd", "*** ***", []string{"abcd", "abcde"}},
		{"self overlap", "aaaaaaaaab", "***b", []string{"aaaa"}},
		{"whole key", "k: " + key + "end", "k: ***\nend", []string{key}},
		{"line of a key", "see line-one-of-it }", "see *** }", []string{key}},
		{"percent", "q=" + url.QueryEscape("p@ss w/ord"), "q=***", []string{"p@ss w/ord"}},
		{"json", `{"a":"q\"uo\\te"}`, `{"a":"***"}`, []string{`q"uo\te`}},
		{"escape sequence inside", "x hun\x1b[1mter\x1b[0m22\x1b[0m y", "x ***\x1b[1m\x1b[0m\x1b[0m y", []string{"hunter22"}},
		{"escape sequences outside", "\x1b[31mred\x1b[0m hunter2\x1b[", "\x1b[31mred\x1b[0m hunter2\x1b[", []string{"hunter22"}},
		{"controls inside", "hun\x00t\u200ber22", "***\x00\u200b", []string{"hunter22"}},
		{"secret with a control", "a\x07bcdef g", "***\x07 g", []string{"a\x07bcdef"}},
		{"link inside", "hun\x1b]8;;http://x\x07ter22", "***\x1b]8;;http://x\x07", []string{"hunter22"}},
		{"longest wins over a later start", "abcXabcdefg", "abcX***", []string{"abcdefg", "cdefg"}},
	} {
		for n := 1; n <= len(tc.text); n++ {
			if got := mask(t, tc.text, n, tc.secrets...); got != tc.want {
				t.Errorf("%s in pieces of %d: got %q, want %q", tc.name, n, got, tc.want)
			}
		}
	}
}

func TestMaskingWriterFindsBase64(t *testing.T) {
	t.Parallel()
	const secret = "correct horse battery staple"
	for _, prefix := range []string{"", "u:", "us:", "user:"} {
		for name, encoding := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.RawURLEncoding} {
			text := "Authorization: Basic " + encoding.EncodeToString([]byte(prefix+secret+":more"))
			if got := mask(t, text, 7, secret); !strings.Contains(got, "***") || len(got) > len(text)-30 {
				t.Errorf("%s with prefix %q: %q", name, prefix, got)
			}
		}
	}
}

func FuzzMaskingWriter(f *testing.F) {
	f.Add("a secret text", "secret", "text", 3)
	f.Add("aaaaaa", "aaaa", "aab", 1)
	f.Add("a \x1b[31msec\x1b[0mret\x1b]8;;x\x07 te\x1b(Bxt\x1b[", "secret", "text", 2)
	f.Fuzz(func(t *testing.T, in, a, b string, n int) {
		if n < 1 || n > 64 || len(in) > 1000 {
			return
		}
		got := mask(t, in, n, a, b)
		if got != mask(t, in, len(in)+1, a, b) {
			t.Errorf("the pieces matter: %q, %q, %q by %d", in, a, b, n)
		}
		got = text.StripUnseen(got)
		for _, secret := range []string{strings.TrimSpace(a), strings.TrimSpace(b)} {
			// What surrounds a mask may spell a secret anew with its asterisks.
			if len(secret) >= text.MinSecret && !strings.Contains(secret, "*") && strings.Contains(got, secret) {
				t.Errorf("%q is in %q", secret, got)
			}
		}
	})
}

func TestMaskCommands(t *testing.T) {
	t.Parallel()
	r, log, _ := step(t)
	if err := r.Mask("p%ss/word", "first-line\nsecond-line\n}\n", ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"::add-mask::p%25ss/word\n", "::add-mask::p%2525ss%252Fword\n", "::add-mask::first-line\n", "::add-mask::second-line\n",
		"::add-mask::" + base64.RawStdEncoding.EncodeToString([]byte("p%ss/word")) + "\n",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, log)
		}
	}
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "::add-mask::") || len(line) < len("::add-mask::")+5 {
			t.Errorf("line %q", line)
		}
	}
}

func TestSecretsAreInNoSummary(t *testing.T) {
	t.Parallel()
	r, log, c := step(t)
	const secret = "p4ssw0rd-of-all"
	if err := r.Mask(secret); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	encoded := base64.StdEncoding.EncodeToString([]byte("u:" + secret))
	err := errors.Join(r.AppendSummary("it is "+secret+" or "+encoded), r.Annotate(pipeline.Problems{{Rule: "x", Message: "it is " + secret}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{read(t, c.SummaryFile), log.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, encoded[8:20]) || !strings.Contains(text, "it is ***") {
			t.Errorf("%q", text)
		}
	}
}
