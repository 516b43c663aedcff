package redact

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func redactorFor(secrets ...string) *Filter {
	set := Secrets{}
	for _, s := range secrets {
		set.AddAll(s)
	}
	return NewFilter(set)
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := redactorFor("hunter22", "hunter22-long", "abc", "over\"lap\"ed", "lap\"edges", "-----BEGIN-----\nline of the key 1\nline of the key 2\n-----END-----\n", "äöüß")
	mark := jsonvalue.SensitiveText
	for in, want := range map[string]string{
		"":                          "",
		"nothing":                   "nothing",
		"hunter22":                  mark,
		"a hunter22-long b":         "a " + mark + " b",
		"hunter22-lo":               mark + "-lo",
		"hunter22hunter22":          mark + mark,
		"abc is too short":          "abc is too short",
		"over\"lap\"edges":          mark,
		"xline of the key 2x":       "x" + mark + "x",
		"äöüß!":                     mark + "!",
		`{"a":"over\"lap\"ed"}`:     `{"a":"` + mark + `"}`,
		`"{\"a\":\"hunter22\"}"`:    `"{\"a\":\"` + mark + `\"}"`,
		`x\"over\\\"lap\\\"ed\"end`: `x\"` + mark + `\"end`,
	} {
		if got := r.Text(in); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
	for _, pad := range []string{"", "a", "ab", "abc"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(pad + "over\"lap\"ed" + pad + "xyz"))
		if got := r.Text(encoded); !strings.Contains(got, mark) {
			t.Errorf("base64 with %q in front: %q", pad, got)
		}
	}
}

func TestRedactorKnowsURLs(t *testing.T) {
	t.Parallel()
	r := redactorFor("p@ss w/rd%1")
	for _, in := range []string{"postgres://u:p%40ss%20w%2Frd%251@h", "q=p%40ss+w%2Frd%251&x", "postgres://u:p%40ss%20w%2frd%251@h"} {
		if got := r.Text(in); strings.Contains(got, "rd%251") {
			t.Errorf("%q stays %q", in, got)
		}
	}
}

func TestRedactorLeavesWordsInNames(t *testing.T) {
	t.Parallel()
	r := redactorFor("production", "s3cr3t-name")
	c := pipeline.ResourceChange{Address: `a.production["s3cr3t-name"]`, Attributes: []pipeline.AttributeChange{{
		Path: `tags.production["s3cr3t-name"]`, Before: pipeline.Value{Text: `"production"`}, After: pipeline.Value{Text: `"in production"`},
	}}}
	r.change(&c)
	a := c.Attributes[0]
	if c.Address != `a.production["(sensitive value)"]` || a.Path != `tags.production["(sensitive value)"]` {
		t.Errorf("%s %s", c.Address, a.Path)
	}
	if !a.Before.Sensitive || a.Before.Text != "" || a.After.Text != `"in (sensitive value)"` {
		t.Errorf("%+v", a)
	}
}

// FuzzRedactor compares with the plain way: after replacing, none of the secrets
// is left, and without any in the text it is as it was.
func FuzzRedactor(f *testing.F) {
	f.Add("hunter22", "22-and-on", "a hunter22-and-on b")
	f.Add("aaaa", "aaaaa", "aaaaaaaaa")
	f.Add("\xff\xff\xff\xff", "a\"b\\", "\xff\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, one, two, text string) {
		r := redactorFor(one, two)
		got := r.Text(text)
		rest := strings.Split(got, jsonvalue.SensitiveText)
		for _, secret := range []string{one, two} {
			if len([]rune(secret)) < minSecret {
				continue
			}
			for _, part := range rest {
				if strings.Contains(part, secret) {
					t.Errorf("%q is left of %q in %q", secret, text, got)
				}
			}
		}
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(r.json(string(b)))) {
			t.Errorf("%s became %s", b, r.json(string(b)))
		}
	})
}

func TestPlainLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a line":                                 "a line",
		"::set-output name=a::b":                 ": :set-output name=a::b",
		" \t\x1b[1m::error::x":                   ": :error::x",
		"\u200b\u00a0::stop-commands::":          ": :stop-commands::",
		"a ##[command]x":                         "a ## [command]x",
		"\x1b]8;;http://x\x07link\x1b]8;;\x1b\\": "link",
		"\x1b[31mred\x1b[0m":                     "red",
		"bell\x07 null\x00":                      "bell null",
		"\u202eevil":                             "evil",
		"a::b":                                   "a::b",
	} {
		if got := plainLine(in); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
	var log strings.Builder
	NewLog(&log).Print("one\r\n\n::error::two\r::warning::three\n")
	if log.String() != "one\n: :error::two\n: :warning::three\n" {
		t.Errorf("%q", log.String())
	}
	if long := plainLine(strings.Repeat("ä", 5000)); len(long) > lineLimit+10 {
		t.Errorf("%d bytes", len(long))
	}
}
