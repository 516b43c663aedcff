package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Error is a question that GitHub did not answer as hoped. It wraps a
// *pipeline.NotVisibleError when the thing does not exist or the token may not see
// it, a *pipeline.GoneError when GitHub says that it is gone, and a
// *pipeline.PermanentError when GitHub will refuse the same write each time.
type Error struct {
	Op      string // what was asked, such as "read pull request 5"
	Repo    string // owner/name; empty when it was about no repository
	Status  int    // HTTP status; 0 when there was no answer
	Message string // GitHub's words, or what went wrong before it could speak
	Next    string // what to do
	Err     error

	needs      string // what GitHub says that the call needs, such as "statuses=write"
	lacksScope bool   // the token has none of the scopes that would do
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Repo != "" {
		b.WriteString(" of " + e.Repo)
	}
	b.WriteString(" on GitHub: ")
	if e.Status != 0 {
		fmt.Fprintf(&b, "HTTP %d: ", e.Status)
	}
	b.WriteString(e.Message)
	if e.Next != "" {
		b.WriteString("\n→ " + e.Next)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// fail wraps an error of our own side of the call.
func (k call) fail(err error) *Error {
	e := &Error{Op: k.op, Message: err.Error(), Err: err}
	if k.repo != (pipeline.Slug{}) {
		e.Repo = k.repo.String()
	}
	return e
}

// explain turns what go-github returned into an *Error.
func (c *Client) explain(k call, resp *github.Response, err error) error {
	if errors.Is(err, context.Canceled) {
		return k.fail(err)
	}
	var limit *limitError
	if errors.As(err, &limit) {
		e := k.fail(err)
		e.Status, e.Message, e.Next = limit.status, limit.message, limit.next()
		return e
	}
	var unauthorized *unauthorizedError
	if errors.As(err, &unauthorized) {
		return k.unauthorized(unauthorized.err)
	}
	if resp == nil || resp.Response == nil {
		return c.explainNoResponse(k, err)
	}
	e := k.fail(err)
	e.Status, e.needs, e.lacksScope = resp.StatusCode, oneLine(resp.Header.Get("X-Accepted-GitHub-Permissions"), 200), lacksScope(resp.Header)
	e.Message = c.transport.secrets.hide(oneLine(message(err), 500))
	cause := refusal(k, e.Status, e.Message)
	switch {
	case cause != "":
		e.Err, e.Next = &pipeline.PermanentError{Cause: cause, Err: err}, refusalAdvice[cause]
		return e
	case e.Status == http.StatusNotFound:
		e.Err = &pipeline.NotVisibleError{Err: err}
	case gone(e.Status, e.Message):
		e.Err = &pipeline.GoneError{Err: err}
	}
	e.Next = c.advise(k, e.Status, resp.Header)
	return e
}

// unauthorized is for calls that were not sent, since the App got no token. That
// there is no installation does not mean that the asked thing is missing.
func (k call) unauthorized(err error) *Error {
	e := k.fail(&unauthorizedError{errors.New(err.Error())})
	var limit *limitError
	if errors.As(err, &limit) {
		e.Err = limit
	}
	var why *Error
	if errors.As(err, &why) {
		e.Status, e.Next = why.Status, why.Next
		short := *why
		short.Status, short.Next = 0, ""
		e.Message = short.Error()
	}
	return e
}

// IsNotInstalled reports whether a call was not sent since the GitHub App has no
// installation for the repository.
func (e *Error) IsNotInstalled() bool {
	var unsent *unauthorizedError
	return e.Status == http.StatusNotFound && errors.As(e.Err, &unsent)
}

// explainNoResponse is for requests without a usable answer. url.Error repeats the
// method and address, which the operation already says better.
func (c *Client) explainNoResponse(k call, err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	e := k.fail(err)
	e.Message = c.transport.secrets.hide(oneLine(err.Error(), 500))
	var syntax *tooLargeError
	if errors.Is(err, errMoved) {
		e.Next = movedNext
	} else if !errors.As(err, &syntax) {
		e.Next = fmt.Sprintf("check that %s can be reached from here, then run this again", c.transport.host.Host)
	}
	return e
}

// message is GitHub's message with the details of a 422.
func message(err error) string {
	var output *github.ErrorResponse
	if !errors.As(err, &output) {
		return err.Error()
	}
	text := output.Message
	if text == "" {
		text = http.StatusText(output.Response.StatusCode)
	}
	for _, detail := range output.Errors {
		if detail.Message != "" {
			text += "; " + detail.Message
		} else if detail.Code != "" {
			text += fmt.Sprintf("; %s %s: %s", detail.Resource, detail.Field, detail.Code)
		}
	}
	return text
}

// gone reports whether an answer means "there is no such thing" and nothing else:
// GitHub says 410 for disabled features and deleted issues, 422 for unknown commits
// and 409 for repositories without any commit.
func gone(status int, message string) bool {
	switch status {
	case http.StatusGone:
		return true
	case http.StatusUnprocessableEntity:
		return strings.Contains(message, "No commit found")
	case http.StatusConflict:
		return strings.Contains(message, "Git Repository is empty")
	}
	return false
}

// IsForbidden reports whether GitHub answered that the token lacks a permission, which is
// neither a limit nor an outage.
func (e *Error) IsForbidden() bool {
	var p *graphQLProblem
	return e.Status == http.StatusForbidden && !isLimit(e) || errors.As(e.Err, &p) && p.forbidden()
}

// IsUnprocessable reports whether GitHub did not accept what was sent: a value of it, or one of
// several things that it names.
func (e *Error) IsUnprocessable() bool { return e.Status == http.StatusUnprocessableEntity }

// IsEmpty reports whether GitHub has refused it since the repository has no commit.
func (e *Error) IsEmpty() bool { return e.Status == http.StatusConflict }
