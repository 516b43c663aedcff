package drift

import "github.com/metapipe/metapipe/pkg/pipeline"

// Redacted returns what may be shown to a customer of a check that failed. The
// manager's own people read all of it.
func (f DriftFailure) Redacted(l pipeline.Redaction) DriftFailure {
	if !l.Hides() {
		return f
	}
	f.Message, f.Next = pipeline.Unquoted(f.Message, f.Next, "the check did not succeed; what the tool said is not shown here", f.Diagnostics)
	f.Diagnostics = pipeline.RedactedDiagnostics(f.Diagnostics, l)
	return f
}
