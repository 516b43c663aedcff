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
	if len(digest) != 64 || !only(digest, 64, digits+"abcdef") {
		return ""
	}
	return digest
}
