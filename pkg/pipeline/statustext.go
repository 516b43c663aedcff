package pipeline

import "strings"

// StatusLimit is the length of the description of a commit status in characters, that is in
// code points; GitHub answers 422 above it.
const StatusLimit = 140

// WithRequestTag appends the request id, by which trigger knows its own statuses. The
// text gives way, so that 140 characters hold both.
func WithRequestTag(description string, id RequestID) string {
	return ClipBefore(description, RequestTag(id), StatusLimit)
}

// RequestTag is the end of a status description that names its request.
func RequestTag(id RequestID) string { return " (" + id.Short() + ")" }

// StatusOf finds the status of a request in its overall context, and false when
// the context shows another request, or none.
func StatusOf(statuses []Status, statusContext string, id RequestID) (Status, bool) {
	for _, s := range statuses {
		if strings.EqualFold(s.Context, statusContext) && strings.HasSuffix(s.Description, RequestTag(id)) {
			return s, true
		}
	}
	return Status{}, false
}

// A mark precedes the digest of a receipt in the fragment of a status's
// target_url: a place that people's browsers ignore, and that who can write to
// the store cannot change. It shows a waiting trigger the stage.
const (
	receiptMark    = "#receipt-"
	ApprovalMark   = "#approval-" // the plan waits for people
	ApplyingMark   = "#applying-" // the job of its apply has begun
	undeployedMark = "#undeployed-"
	plannedMark    = "#planned-" // it has changes that no one has asked to apply
)

// ReceiptURL is the address of the target's run with the digest of its receipt.
func (t TargetReport) ReceiptURL() string {
	if t.RunURL == "" || t.Receipt == "" {
		return t.RunURL
	}
	mark := receiptMark
	switch {
	case t.Outcome == OutcomeApplying:
		mark = ApplyingMark
	case t.Outcome == OutcomeWaiting && t.Gated:
		mark = ApprovalMark
	case t.Outcome == OutcomePlanned:
		mark = plannedMark
	}
	return t.RunURL + mark + t.Receipt
}

// UndeployedURL is ReceiptURL of an applied target whose deployment, which carries the
// outputs, could not be made yet: a later report tries again.
func (t TargetReport) UndeployedURL() string {
	return strings.Replace(t.ReceiptURL(), receiptMark, undeployedMark, 1)
}

// HasDeployment reports whether a status among those of a commit says that a report has
// made the deployment of an applied target. statusContext is that of the target.
func (t TargetReport) HasDeployment(statuses []Status, statusContext string) bool {
	if _, mark := ReceiptOf(t.ReceiptURL()); mark != receiptMark || t.Outcome != OutcomeApplied {
		return false
	}
	for _, s := range statuses {
		if strings.EqualFold(s.Context, statusContext) {
			return s.State == StatusSuccess && s.TargetURL == t.ReceiptURL()
		}
	}
	return false
}

// ShownApplying reports whether the status of an applied target, among those of a commit,
// still says that its apply has begun. statusContext is that of the target.
func (t TargetReport) ShownApplying(statuses []Status, statusContext string) bool {
	for _, s := range statuses {
		if strings.EqualFold(s.Context, statusContext) {
			return s.State == StatusPending && t.Receipt != "" && s.TargetURL == t.RunURL+ApplyingMark+t.Receipt
		}
	}
	return false
}

// LeavesNothing reports whether the status of a target says that nothing of its plan is
// left to apply: it was applied, or had no changes.
func (s Status) LeavesNothing() bool {
	_, mark := ReceiptOf(s.TargetURL)
	return s.State == StatusSuccess && (mark == receiptMark || mark == undeployedMark)
}

// ReceiptOf reads the digest out of a status's target_url, and the mark before
// it; both are "" when it has none.
func ReceiptOf(url string) (digest, mark string) {
	for _, mark := range []string{receiptMark, ApprovalMark, ApplyingMark, undeployedMark, plannedMark} {
		if _, digest, _ := strings.Cut(url, mark); IsDigest(digest) {
			return digest, mark
		}
	}
	return "", ""
}

// IsDigest reports whether s is a SHA-256 in hexadecimal.
func IsDigest(s string) bool { return len(s) == 64 && ConsistsOf(s, 64, Digits+"abcdef") }
