package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Error is a question that GitHub did not answer as hoped. It wraps
// pipeline.ErrNotFound when the asked thing does not exist, or the token cannot
// see it: GitHub does not tell these apart.
type Error struct {
	Op      string // what was asked, such as "read pull request 5"
	Repo    string // owner/name; empty when it was about no repository
	Status  int    // HTTP status; 0 when there was no answer
	Message string // GitHub's words, or what went wrong before it could speak
	Next    string // what to do
	Err     error
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
	if resp == nil || resp.Response == nil {
		return c.explainSilence(k, err)
	}
	e := k.fail(err)
	e.Status = resp.StatusCode
	e.Message = c.hide(oneLine(message(err), 500))
	e.Next = next(e.Status, resp.Header)
	if missing(e.Status, e.Message) {
		e.Err = fmt.Errorf("%w: %w", pipeline.ErrNotFound, err)
	}
	return e
}

// explainSilence is for requests without a usable answer. url.Error repeats the
// method and address, which the operation already says better.
func (c *Client) explainSilence(k call, err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	e := k.fail(err)
	e.Message = c.hide(oneLine(err.Error(), 500))
	var syntax *tooLargeError
	if !errors.As(err, &syntax) {
		e.Next = fmt.Sprintf("check that %s can be reached from here, then run this again", c.transport.host.Host)
	}
	return e
}

// hide makes sure that no server and no library can echo the token.
func (c *Client) hide(s string) string {
	if c.transport.token == "" {
		return s
	}
	return strings.ReplaceAll(s, c.transport.token, "***")
}

// message is GitHub's message with the details of a 422.
func message(err error) string {
	var said *github.ErrorResponse
	if !errors.As(err, &said) {
		return err.Error()
	}
	text := said.Message
	if text == "" {
		text = http.StatusText(said.Response.StatusCode)
	}
	for _, detail := range said.Errors {
		if detail.Message != "" {
			text += "; " + detail.Message
		} else if detail.Code != "" {
			text += fmt.Sprintf("; %s %s: %s", detail.Resource, detail.Field, detail.Code)
		}
	}
	return text
}

// missing reports whether an answer means "there is no such thing". Beside 404
// GitHub says 410 for disabled features, 422 for unknown commits and 409 for
// repositories without any commit.
func missing(status int, message string) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusUnprocessableEntity:
		return strings.Contains(message, "No commit found")
	case http.StatusConflict:
		return strings.Contains(message, "Git Repository is empty")
	}
	return false
}

// next is what the reader can do about a status.
func next(status int, h http.Header) string {
	switch status {
	case http.StatusUnauthorized:
		return "the token is invalid, expired or revoked: create a new one and store it in the secret that this step uses"
	case http.StatusForbidden:
		return forbidden(h)
	case http.StatusNotFound:
		return "it does not exist, or the token cannot see it: check the name and that the token has access to this repository"
	case http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusTemporaryRedirect:
		return "the repository has moved: use its new name"
	}
	if status >= 500 {
		return "GitHub has trouble (see https://www.githubstatus.com); run this again later"
	}
	return ""
}

// forbidden names the permission that GitHub says it wants:
// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
func forbidden(h http.Header) string {
	if _, address, ok := strings.Cut(h.Get("X-GitHub-SSO"), "url="); ok {
		return "authorise the token for the organisation's single sign-on: " + oneLine(address, 300)
	}
	var wants []string
	if p := h.Get("X-Accepted-GitHub-Permissions"); p != "" {
		wants = append(wants, "the permission "+oneLine(p, 200)+" (fine-grained token, App or `permissions:` of the job)")
	}
	if s := h.Get("X-Accepted-OAuth-Scopes"); s != "" {
		wants = append(wants, "one of the scopes "+oneLine(s, 200)+" (classic token)")
	}
	if len(wants) == 0 {
		return "the token lacks a permission for this repository: compare its permissions with what the docs ask for"
	}
	return "give the token " + strings.Join(wants, ", or ")
}

// oneLine folds line breaks and control characters into spaces and cuts s to at
// most n characters, the last of which is then an ellipsis.
func oneLine(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}
