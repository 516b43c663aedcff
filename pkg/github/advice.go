package github

import (
	"net/http"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// movedNext is for a repository that has another name or another owner now.
const movedNext = "find out which name and owner the repository has now; with the same owner, run this again: metapipe looks up the new name; otherwise " +
	"make sure that the new owner may deploy, then change `repository` in the file of the customer"

// advise is what the reader can do about a status of this call.
func (c *Client) advise(k call, status int, h http.Header) string {
	if advice := k.advice[status]; advice != "" {
		return advice
	}
	return c.next(status, h)
}

// next is what the reader can do about a status.
func (c *Client) next(status int, h http.Header) string {
	switch status {
	case http.StatusUnauthorized:
		if c.named.credential != "" {
			return "the token is invalid, expired or revoked: create a new one and store it as " + c.named.credential
		}
		return "the token is invalid, expired or revoked: create a new one and store it in the secret that this step uses"
	case http.StatusForbidden:
		return c.forbidden(h)
	case http.StatusNotFound:
		if lacksScope(h) {
			return c.forbidden(h) // to a classic token GitHub answers that there is nothing
		}
		return "it does not exist, or " + c.credential() + " cannot see it: check the name and that the token has access to this repository" + permissionHint(h)
	case http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusTemporaryRedirect:
		return movedNext
	}
	if status >= 500 {
		return "GitHub has trouble (see https://www.githubstatus.com); run this again later"
	}
	return ""
}

func (c *Client) credential() string {
	switch {
	case c.app != nil:
		return "the GitHub App"
	case c.named.credential != "":
		return c.named.credential
	}
	return "the token"
}

// forbidden names the permission that GitHub says it wants, and who wants it:
// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
func (c *Client) forbidden(h http.Header) string {
	if _, address, ok := strings.Cut(h.Get("X-GitHub-SSO"), "url="); ok {
		return "authorize the token for the organization's single sign-on: " + oneLine(address, 300)
	}
	var wants []string
	permissions, scopes := h.Get("X-Accepted-GitHub-Permissions"), h.Get("X-Accepted-OAuth-Scopes")
	have, classic := scopesOf(h)
	if permissions != "" && !classic {
		wants = append(wants, "the permission "+oneLine(permissions, 200)+" (fine-grained token, App or `permissions:` of the job)")
	}
	if scopes != "" && (classic || permissions == "") {
		wants = append(wants, "one of the scopes "+oneLine(scopes, 200)+" (classic token)")
	}
	needed := neededBy(c.named.needs)
	if len(wants) == 0 {
		return c.credential() + " lacks a permission for this repository" + needed + ": compare its permissions with what the docs ask for"
	}
	advice := "give " + c.credential() + " " + strings.Join(wants, ", or ") + needed
	if classic {
		advice += "; it has the scopes " + oneLine("["+strings.Join(have, ", ")+"]", 200) + ", and its user has to have access"
	}
	return advice
}

// neededBy says which command needs what is missing.
func neededBy(command string) string {
	if command == "" {
		return ""
	}
	return ", which `" + command + "` needs"
}

// permissionHint is for a 404 of a token whose permissions could be why.
func permissionHint(h http.Header) string {
	if p := h.Get("X-Accepted-GitHub-Permissions"); p != "" {
		return " with the permission " + oneLine(p, 200)
	}
	return ""
}

// scopesOf returns the scopes of a classic token; only those have the header.
func scopesOf(h http.Header) (scopes []string, classic bool) {
	values, classic := h["X-Oauth-Scopes"]
	for _, scope := range strings.Split(strings.Join(values, ","), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			scopes = append(scopes, scope)
		}
	}
	return scopes, classic
}

// lacksScope reports whether a classic token has none of the accepted scopes.
func lacksScope(h http.Header) bool {
	have, classic := scopesOf(h)
	accepted := strings.Split(h.Get("X-Accepted-OAuth-Scopes"), ",")
	return classic && h.Get("X-Accepted-OAuth-Scopes") != "" && !slices.ContainsFunc(accepted, func(one string) bool {
		return slices.Contains(have, strings.TrimSpace(one))
	})
}

// oneLine is s in one line of at most n characters, the last of which is an ellipsis
// where s was longer.
func oneLine(s string, n int) string { return pipeline.Clip(text.OneLine(s), n) }
