package rehearsal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInterpreter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  []shown
	}{
		"text":             {[]string{"hello", "a::b::c"}, []shown{{lineText, "hello"}, {lineText, "a::b::c"}}},
		"mask":             {[]string{"s3cret", "::add-mask::s3cret", "the s3cret!"}, []shown{{lineText, "s3cret"}, {}, {lineText, "the ***!"}}},
		"mask of lines":    {[]string{"::add-mask::one1%0Atwo2", "two2 one1"}, []shown{{}, {lineText, "*** ***"}}},
		"part of a mask":   {[]string{"::add-mask::key", "::add-mask::keychain", "keychain key"}, []shown{{}, {}, {lineText, "*** ***"}}},
		"empty mask":       {[]string{"::add-mask::", "a b"}, []shown{{}, {lineText, "a b"}}},
		"group":            {[]string{"::group::init", "x", "::endgroup::"}, []shown{{lineGroup, "init"}, {lineText, "x"}, {kind: lineGroupEnd}}},
		"error with place": {[]string{"::error file=a%2Cb.yml,line=3,title=rule::bad%0Athing"}, []shown{{lineAnnotation, "error: a,b.yml:3: rule: bad\nthing"}}},
		"indented":         {[]string{"  ::notice::hi"}, []shown{{lineAnnotation, "notice: hi"}}},
		"stopped":          {[]string{"::stop-commands::tok", "::add-mask::x", "::tok::", "::debug::gone"}, []shown{{}, {lineText, "::add-mask::x"}, {}, {}}},
		"unknown":          {[]string{"::shout::hi"}, []shown{{lineText, "::shout::hi"}}},
		"not a name":       {[]string{"::a/b::c", ":: ::c", "::"}, []shown{{lineText, "::a/b::c"}, {lineText, ":: ::c"}, {lineText, "::"}}},
		"masked error":     {[]string{"::add-mask::s3cret", "::error::no s3cret"}, []shown{{}, {lineAnnotation, "error: no ***"}}},
		"double encoding":  {[]string{"::notice::%250A"}, []shown{{lineAnnotation, "notice: %0A"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &interpreter{masks: &masks{}}
			var got []shown
			for _, l := range c.lines {
				got = append(got, i.read(l))
			}
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(shown{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzInterpreter(f *testing.F) {
	f.Add("::add-mask::a\n::error file=x,line=1::a\n::stop-commands::t\n::t::")
	f.Fuzz(func(t *testing.T, text string) {
		i := &interpreter{masks: &masks{}}
		i.masks.add("s3cret-value")
		for line := range strings.SplitSeq(text, "\n") {
			if s := i.read(line); strings.Contains(s.text, "s3cret-value") {
				t.Errorf("%q shows a secret: %q", line, s.text)
			}
		}
	})
}

func TestOutputsWithSecretsAreDropped(t *testing.T) {
	t.Parallel()
	m := &masks{parent: &masks{}}
	m.parent.add("outer-secret")
	m.add("inner-secret")
	kept, dropped := m.withoutSecrets(map[string]string{"a": "fine", "b": "has outer-secret", "c": "inner-secret"})
	if d := cmp.Diff(map[string]string{"a": "fine"}, kept); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"b", "c"}, dropped); d != "" {
		t.Error(d)
	}
}

func TestInherited(t *testing.T) {
	t.Parallel()
	got := inherited([]string{
		"PATH=/bin", "HOME=/h", "LC_ALL=C", "TF_CLI_CONFIG_FILE=/rc", "AWS_REGION=eu", "AWS_SECRET=1", "GITHUB_TOKEN=t", "ACTIONS_X=1",
		"METAPIPE_KEY=k", "METAPIPE_TOOL=/t", "SOURCE_REPOS_PAT=p", "CI=1", "TF_VAR_x=1", "EDITOR=vi", "odd",
	}, []string{"AWS_REGION", "TF_VAR_*", "GITHUB_*"})
	want := []string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "TF_CLI_CONFIG_FILE=/rc", "AWS_REGION=eu", "METAPIPE_TOOL=/t", "TF_VAR_x=1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
