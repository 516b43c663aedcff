package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// PolicyDigest says by which rules a plan was judged: SHA-256 in hexadecimal digits.
type PolicyDigest struct {
	Bundle string `json:"bundle"`
	Data   string `json:"data"`
}

// Verdict is what the checks of a plan say together; empty where none was made.
type Verdict string

// The verdicts.
const (
	VerdictPass Verdict = "pass"
	VerdictWarn Verdict = "warn"
	VerdictDeny Verdict = "deny"
)

// Finding is what one check says about a plan.
type Finding struct {
	Check    string  `json:"check"` // what kind of check, for example "policy"
	Rule     string  `json:"rule"`
	Severity Verdict `json:"severity"` // VerdictWarn or VerdictDeny
	Address  string  `json:"address,omitempty"`
	Message  string  `json:"message"`
}

// Cost is what the infrastructure of a target costs in a month, as decimal text: what
// is authenticated must have one encoding.
type Cost struct {
	Currency string `json:"currency"` // ISO 4217
	Before   string `json:"before"`
	After    string `json:"after"`
}

// checkJudgment checks what a receipt says about the checks of its plan.
func (r Receipt) checkJudgment() error {
	if r.Verdict != "" && !slices.Contains([]Verdict{VerdictPass, VerdictWarn, VerdictDeny}, r.Verdict) {
		return fmt.Errorf("the verdict %s is not known", Quote(string(r.Verdict)))
	}
	for _, f := range r.Findings {
		if f.Severity != VerdictWarn && f.Severity != VerdictDeny {
			return fmt.Errorf("the severity %s of a finding is not known", Quote(string(f.Severity)))
		}
	}
	if r.Policy != nil && !(isDigest(r.Policy.Bundle) && isDigest(r.Policy.Data)) {
		return fmt.Errorf("the digest of the policy is none")
	}
	if r.Cost != nil && !(isAmount(r.Cost.Before) && isAmount(r.Cost.After)) {
		return fmt.Errorf("the cost is no number")
	}
	return nil
}

// isDigest reports whether text is a SHA-256 in hexadecimal digits.
func isDigest(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// isAmount reports whether text is a decimal number, such as 12.50.
func isAmount(text string) bool {
	whole, cents, _ := strings.Cut(text, ".")
	return whole != "" && len(text) <= 32 && strings.Trim(whole+cents, "0123456789") == "" && !strings.HasSuffix(text, ".")
}
