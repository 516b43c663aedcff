package github

import (
	"encoding/json"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// payload reads what anybody with write access may have written: whatever is
// not ours is the zero value. GitHub keeps a payload as an object, or as a
// string that holds one.
func payload(raw json.RawMessage) pipeline.DeploymentPayload {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		raw = json.RawMessage(text)
	}
	var p pipeline.DeploymentPayload
	if err := json.Unmarshal(raw, &p); err != nil {
		return pipeline.DeploymentPayload{}
	}
	if _, err := pipeline.ParseRequestID(string(p.Request)); err != nil {
		return pipeline.DeploymentPayload{}
	}
	return p
}

// workflowFile cuts the ref off that GitHub may append: "a.yml@refs/heads/main".
func workflowFile(path string) string {
	for _, extension := range []string{".yml", ".yaml"} {
		if i := strings.Index(path, extension+"@"); i >= 0 {
			return path[:i+len(extension)]
		}
	}
	return path
}
