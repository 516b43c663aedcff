package pipeline

import "strings"

// A mark precedes the digest of a receipt in the fragment of a status's
// target_url: a place that people's browsers ignore, and that who can write to
// the store cannot change. Which one it is tells a waiting trigger the stage.
const (
	receiptMark  = "#receipt-"
	approvalMark = "#approval-" // the plan waits for people
	applyingMark = "#applying-" // the job of its apply has begun
)

// receiptURL is the address of the target's run with the digest of its receipt.
func (t TargetReport) receiptURL() string {
	if t.RunURL == "" || t.Receipt == "" {
		return t.RunURL
	}
	mark := receiptMark
	switch {
	case t.Outcome == OutcomeApplying:
		mark = applyingMark
	case t.Outcome == OutcomeWaiting && t.Gated:
		mark = approvalMark
	}
	return t.RunURL + mark + t.Receipt
}

// receiptOf reads the digest out of a status's target_url, and the mark before
// it; both are "" when it has none.
func receiptOf(url string) (digest, mark string) {
	for _, mark := range []string{receiptMark, approvalMark, applyingMark} {
		if _, digest, _ := strings.Cut(url, mark); isDigest(digest) {
			return digest, mark
		}
	}
	return "", ""
}

// isDigest reports whether s is a SHA-256 in hexadecimal.
func isDigest(s string) bool { return len(s) == 64 && consistsOf(s, 64, digits+"abcdef") }
