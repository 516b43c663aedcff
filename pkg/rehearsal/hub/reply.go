package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object on its way out.
type object = map[string]any

// reply is what a handler decided; it is written after the lock is released.
type reply struct {
	status int
	body   any    // marshaled as JSON unless raw is set
	raw    []byte // written as it is
	ctype  string
	header http.Header
}

// fieldError is one element of `errors` in a 422.
type fieldError struct {
	Resource string `json:"resource"`
	Code     string `json:"code"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message,omitempty"`
}

const docs = "https://docs.github.com/rest"

func ok(v any) reply { return reply{status: http.StatusOK, body: v} }

func noContent() reply { return reply{status: http.StatusNoContent} }

func notFound() reply { return problem(http.StatusNotFound, "Not Found") }

func goneIssues() reply {
	return problem(http.StatusGone, "Issues has been disabled in this repository.")
}

func created(v any, location string) reply {
	return reply{status: http.StatusCreated, body: v, header: http.Header{"Location": {location}}}
}

func problem(status int, message string) reply {
	return reply{status: status, body: object{
		"message": message, "documentation_url": docs, "status": strconv.Itoa(status),
	}}
}

func invalid(errs ...fieldError) reply {
	return reply{status: http.StatusUnprocessableEntity, body: object{
		"message": "Validation Failed", "documentation_url": docs, "errors": errs, "status": "422",
	}}
}

// custom is the form in which GitHub reports a rule of a model.
func custom(resource, field, message string) fieldError {
	return fieldError{Resource: resource, Code: "custom", Field: field, Message: message}
}

// bytes renders the body.
func (r reply) bytes() ([]byte, error) {
	if r.raw != nil || r.body == nil {
		return r.raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.body); err != nil {
		return nil, fmt.Errorf("encode a reply: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// etag is weak, as GitHub's are for JSON.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:]) + `"`
}

// etagMatches implements If-None-Match: a list of tags, compared weakly.
func etagMatches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// when is stamp, or null for the zero time.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nodeID(kind string, id int64) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(id, 10)))
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
