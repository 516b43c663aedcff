package variables

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestProblemsShowNoCredential: a value that breaks a rule is quoted in statuses, comments
// and the ledger, which more people read than the file.
func TestProblemsShowNoCredential(t *testing.T) {
	t.Parallel()
	schema, err := Compile("schema.json", []byte(`{"type":"object","additionalProperties":false,"properties":{"environments":{},
		"region":{"enum":["eu","us"]},"name":{"type":"string","pattern":"^[a-z]{3}$"},"size":{"type":"integer"},"list":{"type":"array","items":{"const":"a"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for form, c := range untrusted.Credentials() {
		text := fmt.Sprintf("%q", c.Text)
		for place, file := range map[string]string{
			"an enumeration": "region: " + text, "a pattern": "name: " + text, "a number": "size: " + text, "a list": "list: [" + text + "]",
			"a key": text + ": 1", "an environment": "environments:\n  " + text + ": {}", "no map": text, "an open quote": "name: " + strings.TrimSuffix(text, `"`),
			"a bare line": "name: a\n" + c.Text, "a placeholder": `name: "{{ ` + strings.Trim(text, `"`) + ` }}"`, "a comment sign": "name: a // " + c.Text,
			"an environment that is text": "environments:\n  staging: " + text,
		} {
			_, problems := Parse("infra/variables.yml", []byte(file+"\n"), pipeline.Limits{}, schema)
			if problems.Err() == nil && place != "an environment" { // its name is looked at later
				t.Errorf("%s as %s: accepted", form, place)
			}
			if got := problems.Error(); strings.Contains(got, c.Secret) {
				t.Errorf("%s as %s:\n%s", form, place, got)
			}
		}
	}
}
