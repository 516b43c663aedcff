package sourcesync

import (
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestParseHint(t *testing.T) {
	t.Parallel()
	c := Config{Sources: []SourceConfig{{Name: "billing", Type: HTTP}, {Name: "people", Type: LDAP}, {Name: "github", Type: Teams}}}
	for _, one := range []struct {
		event, payload, repository string
		about                      []string
	}{
		{EventBilling, `{"customer_repo":"acme/shop","new_tier":"enterprise"}`, "acme/shop", nil},
		{EventTeamRename, `{"old_team":"a","new_team":"b"}`, "", []string{"people", "github"}},
		{EventReorganization, ``, "", []string{"people", "github"}},
	} {
		h, err := ParseHint(one.event, []byte(one.payload))
		if err != nil || h.Repository != one.repository || !slices.Equal(h.About(c), one.about) {
			t.Errorf("%s: %+v, %v", one.event, h, err)
		}
	}
	for name, one := range map[string][2]string{
		"another event":   {"deploy", `{}`},
		"no repository":   {EventBilling, `{}`},
		"no owner":        {EventBilling, `{"customer_repo":"shop"}`},
		"a path":          {EventBilling, `{"customer_repo":"acme/../x"}`},
		"a flag":          {EventBilling, `{"customer_repo":"--apply"}`},
		"two lines":       {EventBilling, "{\"customer_repo\":\"acme/a\\nacme/b\"}"},
		"a number":        {EventBilling, `{"customer_repo":7}`},
		"null":            {EventBilling, `{"customer_repo":null}`},
		"a name twice":    {EventBilling, `{"customer_repo":"acme/a","customer_repo":"acme/b"}`},
		"a further field": {EventBilling, `{"customer_repo":"acme/a","apply":"true"}`},
		"no object":       {EventTeamRename, `[]`},
		"too long":        {EventTeamRename, `{"old_team":"` + string(make([]byte, 300)) + `"}`},
	} {
		if h, err := ParseHint(one[0], []byte(one[1])); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// FuzzParseHint: whatever is sent, a hint names nothing but a repository in the form of GitHub.
func FuzzParseHint(f *testing.F) {
	f.Add(EventBilling, []byte(`{"customer_repo":"acme/shop","new_tier":"enterprise"}`))
	f.Add(EventTeamRename, []byte(`{"old_team":"a"}`))
	f.Add("x", []byte(`null`))
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		h, err := ParseHint(event, payload)
		if err != nil {
			return
		}
		if _, err := pipeline.ParseSlug(h.Repository); (h.Repository == "") == (err == nil) || (h.Repository == "") != h.People {
			t.Errorf("%+v", h)
		}
	})
}
