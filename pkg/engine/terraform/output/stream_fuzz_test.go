package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
)

func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"@message":"Error: x","type":"diagnostic","diagnostic":{"severity":"error","summary":"x","range":{"filename":"main.tf"}}}` + "\n" + `{"type":"apply_complete","hook":{"resource":{"addr":"a"},"action":"create"}}`))
	f.Add([]byte("::error::x\n\x1b[1mprose\n{\"@message\":\"::set-env\",\"type\":\"log\"}\n"))
	f.Add([]byte(`{"type":"outputs","outputs":{"a":{"sensitive":true,"value":"x"},"b":{"value":[1, 2]}}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var log strings.Builder
		s := &Stream{Log: redact.NewLog(&log), Applying: true}
		splitter := process.Lines{Line: s.Line}
		splitter.Add(in)
		splitter.End()
		for _, o := range s.Results() {
			if o.Sensitive && o.Value != "" || o.Value != "" && !json.Valid([]byte(o.Value)) {
				t.Errorf("output %+v", o)
			}
		}
		PlainTextDiagnostics(string(s.PlainText))
		for _, line := range strings.Split(log.String(), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "\x1b") {
				t.Errorf("printed %q", line)
			}
		}
	})
}
