package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestCredentialsAreRemoved: each form, between what may stand around it in a message.
func TestCredentialsAreRemoved(t *testing.T) {
	t.Parallel()
	for name, c := range untrusted.Credentials() {
		for _, around := range []string{"%s", "ref %q is none", `\n%s`, "x%sy", "a %s, b", "{\"a\":%q}", "Ω%sΩ"} {
			text := fmt.Sprintf(around, c.Text)
			if strings.HasPrefix(around, "x") && !c.Inside {
				continue
			}
			for function, clean := range map[string]func(string) string{"WithoutCredentials": WithoutCredentials, "Quote": Quote, "QuoteTyped": QuoteTyped, "PublicMessage": PublicMessage} {
				got := clean(text)
				if strings.Contains(got, c.Secret) {
					t.Errorf("%s: %s(%q) shows it: %s", name, function, text, got)
				}
				if function == "WithoutCredentials" && clean(got) != got {
					t.Errorf("%s: twice is another text: %q, %q", name, got, clean(got))
				}
			}
		}
	}
	for _, harmless := range []string{
		"refs/heads/main", "0123456789abcdef0123456789abcdef01234567", "https://github.com/acme/app/pull/5", "git::ssh://git@github.com/acme/module.git",
		"database-1.eu-central-1.example-corp.com", "token.actions.githubusercontent.com", "user@example.com", "4fe2d9c2-4d4c-4b0a-9d1c-0123456789ab",
		"h1:LOFTqMWyZJqHcTtCYs7hS2RBcOvtqsu0q4EXmZsKWNI=", "ghost_in_the_shell_of_the_machine", "AKIAN", "customers/shop/production/main.tf",
	} {
		if got := WithoutCredentials(harmless); got != harmless {
			t.Errorf("%q became %q", harmless, got)
		}
	}
}

// TestQuoteIsBounded: a long text is cut between characters, and never leaves half of a
// credential.
func TestQuoteIsBounded(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"a", "é", "字", "👩‍🚀"} {
		for n := range 5 {
			got := Quote(strings.Repeat("x", n) + strings.Repeat(letter, 1000))
			if len(got) > 1200 || !utf8.ValidString(got) || strings.Contains(got, "\ufffd") || !strings.Contains(got, "bytes)") {
				t.Errorf("%s: %s", letter, got)
			}
		}
	}
	if got := Quote(strings.Repeat("z", 190) + "ghp_" + strings.Repeat("A", 36)); strings.Contains(got, "ghp_") {
		t.Errorf("half of a token is left: %s", got)
	}
	if got := Quote("a\x1b[2J\u202e\n::error::x"); strings.ContainsAny(got, "\x1b\u202e\n") {
		t.Errorf("not escaped: %q", got)
	}
}

// TestPublicErrors keep what they are.
func TestPublicErrors(t *testing.T) {
	t.Parallel()
	if PublicError(nil) != nil {
		t.Error("nil became an error")
	}
	cause := &NotVisibleError{Err: errors.New("GET https://x-access-token:ghs_" + strings.Repeat("a", 36) + "@github.example/repos")}
	public := PublicError(fmt.Errorf("look up: %w", cause))
	var found *NotVisibleError
	if strings.Contains(public.Error(), "ghs_") || !errors.As(public, &found) {
		t.Errorf("%v", public)
	}
}

// TestKeptPayloadIsBounded: what GitHub lets through in 64 KiB makes a small record,
// which says where it was cut.
func TestKeptPayloadIsBounded(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"lists in lists":     `{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
		"objects in objects": strings.Repeat(`{"request":`, 5000) + "1" + strings.Repeat("}", 5000),
		"many and deep":      `{"x":` + strings.Repeat("[", 95) + strings.Repeat("1,", 31000) + "1" + strings.Repeat("]", 95) + "}",
		"many members":       `{"x":{` + members(6000) + `"z":1}}`,
		"a long name":        `{"` + strings.Repeat("k", 60000) + `":1}`,
		"a long text":        `{"x":"` + strings.Repeat("字", 20000) + `"}`,
		"a long number":      `{"x":` + strings.Repeat("9", 60000) + `}`,
		"many long texts":    `{"x":[` + strings.Repeat(`"`+strings.Repeat("a", 400)+`",`, 150) + `1]}`,
		"many empty lists":   `{"x":[` + strings.Repeat(`[],`, 20000) + `1]}`,
	} {
		kept := KeptPayload(json.RawMessage(payload))
		indented, err := json.MarshalIndent(map[string]any{"record": map[string]any{"payload": kept}}, "", "  ")
		if err != nil || !json.Valid(kept) {
			t.Fatalf("%s: %v: %s", name, err, kept)
		}
		if len(indented) > 64<<10 || !strings.Contains(string(kept), cutMark) {
			t.Errorf("%s: %d bytes became %d: %.200s", name, len(payload), len(indented), kept)
		}
	}
}

// TestKeptPayloadHidesNoMember: names that become equal are all kept.
func TestKeptPayloadHidesNoMember(t *testing.T) {
	t.Parallel()
	a, b := "ghp_"+strings.Repeat("A", 36), "ghp_"+strings.Repeat("B", 36)
	kept := string(KeptPayload(json.RawMessage(`{"` + a + `":"first","` + b + `":"second"}`)))
	if !strings.Contains(kept, "first") || !strings.Contains(kept, "second") || strings.Contains(kept, "ghp_") {
		t.Errorf("kept %s", kept)
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":1,`, i)
	}
	return b.String()
}
