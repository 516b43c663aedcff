package pipeline_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// FuzzParseReceipt holds that nothing panics, and that a receipt which is read
// says the same, and has the same code, when it is written and read again: sealed
// objects are bound to its bytes.
func FuzzParseReceipt(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	whole := pipeline.Receipt{Version: pipeline.ReceiptVersion, Request: "0b7f4a52-91ad-4f6e-9d43-6f8f3ad0a111", Customer: "acme", RepositoryID: 7, Environment: "staging", Commit: pipelinetest.ManagerCommit,
		Exactness: pipeline.ExactnessBound, Artifacts: map[string]string{"plan": pipeline.SHA256Hex(nil)}, Evidence: pipeline.NewPlanEvidence(pipeline.ToolVersion{Name: "tofu", Version: "1.9.0"}),
		Policy: &pipeline.PolicyDigest{Bundle: pipeline.SHA256Hex(nil), Data: pipeline.SHA256Hex(nil)}, Verdict: pipeline.VerdictWarn,
		Findings: []pipeline.Finding{{Check: "policy", Rule: "r", Severity: pipeline.VerdictWarn, Message: "<b>"}}, Cost: &pipeline.Cost{Currency: "EUR", Before: "0", After: "12.50"}, PlannedAt: now, Expires: now.Add(time.Hour)}
	whole.Evidence.SetState(pipeline.StateVersion{Lineage: "l", Serial: 1 << 63})
	f.Add(whole.Bytes())
	for _, text := range []string{`{"version":1}`, `{"version":2}`, `{"version":2,"exactness":"exact","evidence":{"state_serial":"-1"}}`, `{"version":2,"exactness":"exact","expires":"9999-12-31T23:59:59Z"}`, `{"version":2,"exactness":"exact"}{}`, `[]`, `null`, ``,
		`{"version":2,"Version":2,"customer":"a","customer":"b"}`, "{\"version\":2,\"exactness\":\"exact\",\"customer\":\"\xff\"}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := pipeline.ParseReceipt(raw)
		if err != nil {
			return
		}
		b := r.Bytes()
		again, err := pipeline.ParseReceipt(b)
		if err != nil || !bytes.Equal(again.Bytes(), b) || again.Code() != r.Code() || len(r.Code()) != 14 || len(r.Digest()) != 64 {
			t.Fatalf("%s came back as %s (%s, %s): %v", b, again.Bytes(), r.Code(), again.Code(), err)
		}
	})
}
