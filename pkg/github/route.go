package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// call is one question to the API.
type call struct {
	op     string        // for errors, such as "read pull request 5"
	repo   pipeline.Slug // zero when it is about no repository
	method string
	// route has a leading slash and placeholders; {owner} and {repo} are filled
	// from repo, the others in their order from args. The value of a placeholder
	// that begins with a plus sign may hold slashes.
	route string
	args  []string
	query url.Values
	// repeatable writes may reach GitHub twice without harm.
	repeatable bool
	// harmless POSTs change nothing for anybody, like a query or a new token:
	// they neither wait for their turn among the writes nor count as one.
	harmless bool
	// via is the repository whose installation an App acts through in a call that is about no
	// repository, such as one about its organization.
	via pipeline.Slug
	// asApp calls are authorized by the App's own key, not by a token for a repo.
	asApp bool
	// advice says what to do about some statuses, instead of the common words.
	advice map[int]string
	again  bool // it was sent before, and that is known to have failed
}

// through is the repository that an App gets a token for; zero: the call needs none.
func (k call) through() pipeline.Slug {
	if k.repo == (pipeline.Slug{}) && k.via.Name != "" {
		return k.via
	}
	return k.repo
}

func get(repo pipeline.Slug, op, route string, args ...string) call {
	return call{op: op, repo: repo, method: http.MethodGet, route: route, args: args, repeatable: true}
}

func write(method string, repo pipeline.Slug, op, route string, args ...string) call {
	return call{op: op, repo: repo, method: method, route: route, args: args}
}

// path fills in the route and returns it relative to the API's root, escaped.
func (k call) path() (string, error) {
	segments := strings.Split(strings.TrimPrefix(k.route, "/"), "/")
	args := k.args
	for i, segment := range segments {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		var value string
		switch {
		case segment == "{owner}":
			value = k.repo.Owner
		case segment == "{repo}":
			value = k.repo.Name
		case len(args) == 0:
			return "", fmt.Errorf("route %s has no value for %s", k.route, segment)
		default:
			value, args = args[0], args[1:]
		}
		escaped, err := escape(value, strings.HasPrefix(segment, "{+"))
		if err != nil {
			return "", fmt.Errorf("%s: %w", segment, err)
		}
		segments[i] = escaped
	}
	p := strings.Join(segments, "/")
	if len(k.query) > 0 {
		p += "?" + k.query.Encode()
	}
	return p, nil
}

// escape encodes a value so that it stays the path segment, or with slashes the
// segments, that it is: dot segments would lead elsewhere and are refused.
func escape(value string, slashes bool) (string, error) {
	parts := []string{value}
	if slashes {
		parts = strings.Split(value, "/")
	}
	for i, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%q cannot be part of an address", value)
		}
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/"), nil
}

type callKey struct{}

func withCall(ctx context.Context, k call) context.Context {
	return context.WithValue(ctx, callKey{}, k)
}

func callOf(req *http.Request) call {
	if k, ok := req.Context().Value(callKey{}).(call); ok {
		return k
	}
	return call{op: "ask", method: req.Method, route: req.URL.Path}
}
