package terraform

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestUntrustedLog lets a tool say the corpus in each part of its output that is
// printed, and in what goes into the model.
func TestUntrustedLog(t *testing.T) {
	t.Parallel()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, nil)
	for _, s := range untrusted.Strings(t) {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		output := &output.Stream{Log: redact.NewLog(&log)}
		for _, line := range []string{
			`{"type":"log","@message":` + string(quoted) + `}`,
			`{"@message":` + string(quoted) + `}`,
			`{"type":"planned_change","@message":` + string(quoted) + `,"hook":{"resource":{"addr":` + string(quoted) + `},"id_key":"id","id_value":` + string(quoted) + `}}`,
			`{"type":"diagnostic","diagnostic":{"severity":"error","summary":` + string(quoted) + `,"detail":` + string(quoted) + `}}`,
		} {
			output.Line([]byte(line))
		}
		w := &workspace{log: output.Log, job: job, tool: tool.Binary{Name: "terraform"}, dir: "/w", tree: "/w/tree", root: "/w/tree/terraform", data: "/w/data"}
		for _, d := range w.diagnose(output.Diagnostics, &redact.Filter{}) {
			if text := d.Summary + d.Detail; untrusted.Obeys(text) != "" {
				t.Errorf("%q: model %q", s, text)
			}
		}
		if untrusted.Command(log.String()) || untrusted.Obeys(log.String()) != "" {
			t.Errorf("%q: printed %s in %q", s, untrusted.Obeys(log.String()), log.String())
		}
	}
}
