package github

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
)

// New returns a client. It sends nothing. Unfit options are a
// *pipeline.UsageError.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL, o.Token != "" || o.App != nil)
	if err != nil {
		return nil, err
	}
	token, err := checkToken(o.Token)
	if err != nil {
		return nil, err
	}
	t := newTransport(o, base)
	api := github.NewClient(&http.Client{Transport: t, CheckRedirect: t.checkRedirect})
	api.BaseURL = base
	api.UserAgent = o.UserAgent
	if api.UserAgent == "" {
		api.UserAgent = "metapipe"
	}
	c := &Client{api: api, transport: t}
	c.named.credential, c.named.needs = o.Credential, o.Needs
	t.auth = fixedToken(token)
	if o.App != nil {
		c.app = &appCredentials{app: o.App, client: c, onToken: o.OnToken, grants: maps.Clone(o.Grants)}
		t.auth = c.app
	}
	return c, nil
}

func parseBase(s string, token bool) (*url.URL, error) {
	if s == "" {
		s = DefaultBaseURL
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" {
		return nil, pipeline.Usagef("the GitHub API address is not an absolute http(s) URL without user and query").
			Nextf("set GITHUB_API_URL to a value such as https://api.github.com or https://HOST/api/v3")
	}
	if token && u.Scheme == "http" && !retry.Near(u.Hostname()) {
		return nil, pipeline.Usagef("the GitHub API address %s would send the token in clear text", u.Redacted()).
			Nextf("use https in GITHUB_API_URL")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}
