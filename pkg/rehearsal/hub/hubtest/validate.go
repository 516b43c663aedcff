// Package hubtest checks the traffic with package hub, in tests, against
// GitHub's own description of its API, and lets chosen requests fail.
//
// The description is the file generated/api.github.com.json of the npm package
// @octokit/openapi (see Version), and for queries schema.graphql of
// @octokit/graphql-schema (see SchemaVersion). They are looked for at
// $METAPIPE_API_DESCRIPTION and $METAPIPE_GRAPHQL_SCHEMA, else below
// <user cache dir>/metapipe, where `make api-description` puts them. Where one is
// missing the check is skipped under the name "api-description"; with
// METAPIPE_REQUIRE_API_DESCRIPTION=1 it fails instead.
package hubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Validate wraps a handler: a request or response that GitHub's API description
// does not allow fails the test. A bad request is allowed when it is refused
// with a 4xx, as the original would.
func Validate(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	d := require(t)
	if d == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_") {
			h.ServeHTTP(w, r) // the issuer and raw files: no part of the API
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s %s: read the request: %v", r.Method, r.URL, err)
			return
		}
		seen := r.Clone(r.Context())
		seen.Body = io.NopCloser(bytes.NewReader(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(&recorder{ResponseWriter: w, rec: rec}, r)
		if rec.Code == http.StatusSwitchingProtocols || len(rec.Header()) == 0 && r.Context().Err() != nil {
			return // the connection was cut by a fault, or the client has not waited for the answer
		}
		check := d.check
		if isGraphQL(r) {
			check = checkQuery
		}
		if err := check(seen, body, rec); err != nil {
			t.Errorf("%s %s → %d does not fit GitHub's API description: %v", r.Method, r.URL, rec.Code, err)
		}
	})
}

// require loads the description; nil is the named skip.
func require(t testing.TB) *description {
	t.Helper()
	d, err := load()
	if _, missing := locate(os.Getenv, EnvSchema, "graphql-schema", SchemaVersion, "schema.graphql"); err == nil {
		err = missing
	}
	if skippable(err, os.Getenv(EnvRequire)) {
		t.Logf("skip of the check %q: %v", SkipName, err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// skippable: only a missing description is, and not where it is required.
func skippable(err error, required string) bool {
	return errors.Is(err, errMissing) && required != "1"
}

// Require skips the test under the name of the check where there is no
// description, or fails it where one is required. A package whose traffic is
// validated calls it in one test, so that the skip shows in the results.
func Require(t testing.TB) {
	t.Helper()
	if require(t) == nil {
		t.Skip(SkipName)
	}
}

// Event checks an event file against the schema of a webhook such as
// "webhook-push". It does nothing where the description is missing.
func Event(t testing.TB, schema string, payload []byte) {
	t.Helper()
	d := require(t)
	if d == nil {
		return
	}
	ref := d.doc.Components.Schemas[schema]
	if ref == nil {
		t.Fatalf("the API description has no schema %q", schema)
	}
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		t.Fatalf("event for %s: %v", schema, err)
	}
	if err := ref.Value.VisitJSON(v); err != nil {
		t.Errorf("event does not fit %s: %v", schema, err)
	}
}

// recorder writes through and keeps a copy. It hands the connection out, which
// faults need.
type recorder struct {
	http.ResponseWriter
	rec *httptest.ResponseRecorder
}

func (r *recorder) WriteHeader(status int) {
	for k, v := range r.Header() {
		r.rec.Header()[k] = v
	}
	r.rec.WriteHeader(status)
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.rec.Body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection. Who asks for it
// will not send a response to check.
func (r *recorder) Unwrap() http.ResponseWriter {
	r.rec.Code = http.StatusSwitchingProtocols
	return r.ResponseWriter
}

func (d *description) check(r *http.Request, body []byte, rec *httptest.ResponseRecorder) error {
	r.URL = describedURL(r.URL)
	r.RequestURI = ""
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		if rec.Code == http.StatusNotFound {
			return nil // the double does not know the path either
		}
		return fmt.Errorf("no such operation: %w", err)
	}
	asked := &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true, MultiError: true,
	}
	asked.WithCustomSchemaErrorFunc(brief)
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: asked}
	if bareLabels(route.Path, body) {
		r.Body = io.NopCloser(strings.NewReader(`{"labels":` + string(body) + "}"))
	}
	if len(body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	ctx := context.WithoutCancel(r.Context())
	if err := openapi3filter.ValidateRequest(ctx, in); err != nil && (rec.Code < 400 || rec.Code >= 500) {
		return fmt.Errorf("request: %w", err)
	}
	if rec.Code == http.StatusUnprocessableEntity && !json.Valid(rec.Body.Bytes()) {
		return errors.New("response: a 422 without a JSON body")
	}
	if faulty(rec) {
		return nil
	}
	answered := &openapi3filter.Options{MultiError: true, ExcludeResponseBody: plain(r, rec)}
	answered.WithCustomSchemaErrorFunc(brief)
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: answered,
	}
	out.SetBodyBytes(rec.Body.Bytes())
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	return nil
}

// brief leaves out the schema and the value, which can be pages long.
func brief(e *openapi3.SchemaError) string {
	return strings.Join(e.JSONPointer(), "/") + ": " + e.Reason
}

// bareLabels: the description allows a list without an object around it in
// words, and not in its schema.
func bareLabels(path string, body []byte) bool {
	return strings.HasSuffix(path, "/issues/{issue_number}/labels") && bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
}

// plain: the client asked for the file or the id itself, which the description
// knows no body for.
func plain(r *http.Request, rec *httptest.ResponseRecorder) bool {
	for _, media := range []string{".raw", ".sha"} {
		if strings.Contains(r.Header.Get("Accept"), media) && strings.Contains(rec.Header().Get("Content-Type"), media) {
			return true
		}
	}
	return false
}

// faulty: a body that was cut on purpose, see Fault.
func faulty(rec *httptest.ResponseRecorder) bool {
	n := rec.Header().Get("Content-Length")
	return n != "" && n != fmt.Sprint(rec.Body.Len())
}

// tails are the places where GitHub takes several segments as one parameter,
// which the description cannot say.
var tails = []*regexp.Regexp{
	regexp.MustCompile(`^(/repos/[^/]+/[^/]+/contents/)(.+?)()$`),
	regexp.MustCompile(`^(/repos/[^/]+/[^/]+/git/(?:refs?|matching-refs|trees)/)(.+?)()$`),
	regexp.MustCompile(`^(/repos/[^/]+/[^/]+/commits/)(.+?)(/status|/statuses|/pulls)?$`),
	regexp.MustCompile(`^(/repos/[^/]+/[^/]+/compare/)(.+?)()$`),
	regexp.MustCompile(`^(/repos/[^/]+/[^/]+(?:/rules)?/branches/)(.+?)()$`),
}

// byID are paths that work on GitHub without being described.
var byID = regexp.MustCompile(`^/repositories/[0-9]+`)

// describedURL turns a path into the form that the description knows.
func describedURL(u *url.URL) *url.URL {
	p := byID.ReplaceAllString(strings.TrimPrefix(u.EscapedPath(), "/api/v3"), "/repos/owner/name")
	if strings.HasSuffix(p, "/contents") {
		p += "/%2F" // the root directory
	}
	for _, re := range tails {
		if m := re.FindStringSubmatch(p); m != nil {
			p = m[1] + strings.ReplaceAll(m[2], "/", "%2F") + m[3]
			break
		}
	}
	out := *u
	// The description types it as one moment; in words it is a range in the
	// syntax of the search, such as ">=2026-01-02T03:04:05Z".
	if q := out.Query(); strings.ContainsAny(q.Get("created"), "<>*.") {
		q.Del("created")
		out.RawQuery = q.Encode()
	}
	plain, err := url.PathUnescape(p)
	if err != nil {
		return u
	}
	out.Path, out.RawPath = plain, p
	return &out
}
