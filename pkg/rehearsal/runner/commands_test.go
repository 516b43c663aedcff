package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInterpreter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  []Shown
	}{
		"text":             {[]string{"hello", "a::b::c"}, []Shown{{LineText, "hello"}, {LineText, "a::b::c"}}},
		"mask":             {[]string{"s3cret", "::add-mask::s3cret", "the s3cret!"}, []Shown{{LineText, "s3cret"}, {}, {LineText, "the ***!"}}},
		"mask of lines":    {[]string{"::add-mask::one1%0Atwo2", "two2 one1"}, []Shown{{}, {LineText, "*** ***"}}},
		"part of a mask":   {[]string{"::add-mask::key", "::add-mask::keychain", "keychain key"}, []Shown{{}, {}, {LineText, "*** ***"}}},
		"empty mask":       {[]string{"::add-mask::", "a b"}, []Shown{{}, {LineText, "a b"}}},
		"group":            {[]string{"::group::init", "x", "::endgroup::"}, []Shown{{LineGroup, "init"}, {LineText, "x"}, {Kind: LineGroupEnd}}},
		"error with place": {[]string{"::error file=a%2Cb.yml,line=3,title=rule::bad%0Athing"}, []Shown{{LineAnnotation, "error: a,b.yml:3: rule: bad\nthing"}}},
		"indented":         {[]string{"  ::notice::hi"}, []Shown{{LineAnnotation, "notice: hi"}}},
		"stopped":          {[]string{"::stop-commands::tok", "::add-mask::x", "::tok::", "::debug::gone"}, []Shown{{}, {LineText, "::add-mask::x"}, {}, {}}},
		"unknown":          {[]string{"::shout::hi"}, []Shown{{LineText, "::shout::hi"}}},
		"not a name":       {[]string{"::a/b::c", ":: ::c", "::"}, []Shown{{LineText, "::a/b::c"}, {LineText, ":: ::c"}, {LineText, "::"}}},
		"masked error":     {[]string{"::add-mask::s3cret", "::error::no s3cret"}, []Shown{{}, {LineAnnotation, "error: no ***"}}},
		"double encoding":  {[]string{"::notice::%250A"}, []Shown{{LineAnnotation, "notice: %0A"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &interpreter{masks: &Masks{}}
			var got []Shown
			for _, l := range c.lines {
				got = append(got, i.read(l))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzInterpreter(f *testing.F) {
	f.Add("::add-mask::a\n::error file=x,line=1::a\n::stop-commands::t\n::t::")
	f.Fuzz(func(t *testing.T, text string) {
		i := &interpreter{masks: &Masks{}}
		i.masks.Add("s3cret-value")
		for line := range strings.SplitSeq(text, "\n") {
			if s := i.read(line); strings.Contains(s.Text, "s3cret-value") {
				t.Errorf("%q shows a secret: %q", line, s.Text)
			}
		}
	})
}

func TestOutputsWithSecretsAreDropped(t *testing.T) {
	t.Parallel()
	m := &Masks{parent: &Masks{}}
	m.parent.Add("outer-secret")
	m.Add("inner-secret")
	kept, dropped := m.WithoutSecrets(map[string]string{"a": "fine", "b": "has outer-secret", "c": "inner-secret"})
	if d := cmp.Diff(map[string]string{"a": "fine"}, kept); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"b", "c"}, dropped); d != "" {
		t.Error(d)
	}
}
