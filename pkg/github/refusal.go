package github

import (
	"net/http"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// refusals are the answers to writes that stay the same however often one asks.
// GitHub has no codes for them: the status and a part of the message, in lower case,
// are all that there is.
var refusals = []struct {
	status []int
	says   string
	cause  pipeline.RefusalCause
}{
	{[]int{http.StatusForbidden}, "archived", pipeline.CauseArchived},
	{[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, "issue is locked", pipeline.CauseLocked},
	{[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, "conversation is locked", pipeline.CauseLocked},
	{[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, "conversation has been locked", pipeline.CauseLocked},
	{[]int{http.StatusUnprocessableEntity}, "maximum number of statuses", pipeline.CauseStatusLimit},
	{[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, "commenting is disabled", pipeline.CauseFull},
	{[]int{http.StatusRequestEntityTooLarge}, "", pipeline.CauseTooLarge},
	{[]int{http.StatusUnprocessableEntity}, "payload is too long", pipeline.CauseTooLarge},
	{[]int{http.StatusUnprocessableEntity}, "payload is too large", pipeline.CauseTooLarge},
	{[]int{http.StatusUnprocessableEntity}, "payload: too_large", pipeline.CauseTooLarge},
	{[]int{http.StatusUnprocessableEntity}, "payload: too_long", pipeline.CauseTooLarge},
	{[]int{http.StatusForbidden, http.StatusUnavailableForLegalReasons}, "repository access blocked", pipeline.CauseBlocked},
}

// refusal is why GitHub will refuse a write each time; empty for everything else.
// Reads go on where these writes are refused, so that a read is never one of them.
func refusal(k call, status int, message string) pipeline.RefusalCause {
	if !k.writes() {
		return ""
	}
	message = strings.ToLower(message)
	for _, r := range refusals {
		for _, s := range r.status {
			if s == status && strings.Contains(message, r.says) {
				return r.cause
			}
		}
	}
	return ""
}

// refusalAdvice is what the reader can do about one.
var refusalAdvice = map[pipeline.RefusalCause]string{
	pipeline.CauseLocked:      "unlock the conversation when comments are wanted there",
	pipeline.CauseArchived:    "unarchive the repository when it is to be deployed from, or remove its file from customers/",
	pipeline.CauseStatusLimit: "push a new commit: its statuses begin anew",
	pipeline.CauseFull:        "open a new pull request",
	pipeline.CauseTooLarge:    "let the root module put out less",
	pipeline.CauseBlocked:     "ask the owner of the repository, or GitHub's support",
}
