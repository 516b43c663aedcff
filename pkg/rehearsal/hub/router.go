package hub

import (
	"net/url"
	"strings"
)

// byID marks, in the place of the owner, a path of the form /repositories/{id}.
const byID = "\x00id"

// match finds the route of an escaped path; nil when there is none.
func match(method, escaped string) (*route, map[string]string) {
	segments, good := split(escaped)
	if !good {
		return nil, nil
	}
	// Clients of a GitHub Enterprise Server put its prefix before
	// each path.
	if len(segments) > 2 && segments[0] == "api" && segments[1] == "v3" {
		segments = segments[2:]
	}
	if len(segments) == 2 && segments[0] == "api" && segments[1] == "graphql" {
		segments = segments[1:]
	}
	if len(segments) >= 2 && segments[0] == "repositories" {
		segments = append([]string{"repos", byID}, segments[1:]...)
	}
	if method == "HEAD" {
		method = "GET"
	}
	for i := range routes {
		if routes[i].method != method {
			continue
		}
		if params, hit := fit(strings.Split(routes[i].pattern[1:], "/"), segments); hit {
			return &routes[i], params
		}
	}
	return nil, nil
}

func split(escaped string) ([]string, bool) {
	segments := strings.Split(strings.Trim(escaped, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = plain
	}
	return segments, true
}

// fit matches segments against a pattern with at most one "{name...}".
func fit(pattern, segments []string) (map[string]string, bool) {
	params := map[string]string{}
	for i, p := range pattern {
		if strings.HasSuffix(p, "...}") {
			tail := len(pattern) - i - 1
			if len(segments) < i+1+tail {
				return nil, false
			}
			params[strings.Trim(p, "{.}")] = strings.Join(segments[i:len(segments)-tail], "/")
			return params, fitPlain(pattern[i+1:], segments[len(segments)-tail:], params)
		}
		if i >= len(segments) || !fitPlain(pattern[i:i+1], segments[i:i+1], params) {
			return nil, false
		}
	}
	return params, len(pattern) == len(segments)
}

func fitPlain(pattern, segments []string, params map[string]string) bool {
	for i, p := range pattern {
		if strings.HasPrefix(p, "{") {
			if segments[i] == "" {
				return false
			}
			params[strings.Trim(p, "{}")] = segments[i]
			continue
		}
		if p != segments[i] {
			return false
		}
	}
	return true
}

// plainPattern is a pattern without the marks of tails, as GitHub writes it.
func plainPattern(p string) string { return strings.ReplaceAll(p, "...}", "}") }
