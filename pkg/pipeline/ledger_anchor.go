package pipeline

import "strings"

// receiptMark precedes the digest of a receipt in the fragment of a status's
// target_url: a place that people's browsers ignore, and that who can write to
// the store cannot change.
const receiptMark = "#receipt-"

// receiptURL adds the digest of a receipt to the address of a run.
func receiptURL(run, receipt string) string {
	if run == "" || receipt == "" {
		return run
	}
	return run + receiptMark + receipt
}

// receiptOf reads the digest out of a status's target_url; "" when it has none.
func receiptOf(url string) string {
	_, digest, _ := strings.Cut(url, receiptMark)
	if !isDigest(digest) {
		return ""
	}
	return digest
}

// isDigest reports whether s is a SHA-256 in hexadecimal.
func isDigest(s string) bool { return len(s) == 64 && only(s, 64, digits+"abcdef") }
