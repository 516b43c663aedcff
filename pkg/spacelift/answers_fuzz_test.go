package spacelift

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/provision"
)

// FuzzAnswer: whatever Spacelift answers, the client returns a stack with an id or an error of one line, and what it keeps
// for an update can be sent again.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"stack":{"id":"mp-a","name":"n","labels":["x"],"config":[{"id":"A","type":"FILE_MOUNT","checksum":"0","writeOnly":true}],"vendorConfig":{"__typename":"StackConfigVendorTerraform","terraformTool":"TERRAFORM_FOSS"}}}}`,
		`{"data":{"stack":{"id":"mp-a","vendorConfig":{"__typename":"StackConfigVendorOpenTofu","tofuTool":"OPENTOFU","version":"1.8.0"},"outputs":[{"id":"o","value":"{","sensitive":false}],"lockedBy":"x"}}}`,
		`{"data":null,"errors":[{"message":"unauthorized\nfor you"}]}`, `{"errors":[]}`, `[]`, `{"data":{"stack":null}}`, `{"data":{"stack":{}}}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var answer struct {
			Stack *node `json:"stack"`
		}
		if err := (call{operation: readStack, what: "read"}).decode(raw, &answer); err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		if answer.Stack == nil {
			return
		}
		found, err := answer.Stack.found()
		if err != nil {
			return
		}
		if found.ID == "" {
			t.Fatal("a stack without an id")
		}
		found.Tool = "terraform"
		k, err := stepCall(found.ID, provision.Step{Action: provision.Update, Stack: found.Stack, Kept: found.Kept}, false)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := k.body(); err != nil || !json.Valid(body) {
			t.Fatalf("%v %s", err, body)
		}
	})
}
