package spacelift

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxBody is larger than any query with a mounted file.
const maxBody = 16 << 20

const graphQLPath = "/graphql"

// answer is what a request gets.
type answer struct {
	status int
	header http.Header
	body   any // marshaled as JSON unless it is a string
	cut    bool
}

func text(status int, message string) answer { return answer{status: status, body: message} }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	a := s.answer(r, body)
	s.mu.Unlock()
	if a.cut {
		panic(http.ErrAbortHandler) // the way to close a connection without an answer
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if message, isText := a.body.(string); isText {
		http.Error(w, message, a.status)
		return
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a.body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(out.Bytes()) // a client that has gone away is no error of the server
}

// answer decides under the lock, and logs the request.
func (s *Server) answer(r *http.Request, body []byte) answer {
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case r.URL.Path != graphQLPath:
		return text(http.StatusNotFound, "404 page not found")
	case r.Method != http.MethodPost:
		return text(http.StatusMethodNotAllowed, "method not allowed")
	case kind != "application/json":
		return text(http.StatusUnsupportedMediaType, "the content type must be application/json")
	}
	q := &query{s: s, bearer: bearer(r)}
	problems := q.parse(body)
	a := s.decide(q, problems)
	entry := Request{Operation: q.operationName(), Kind: q.kind(), Variables: q.sent.Variables, Status: a.status, At: s.now()}
	if a.cut {
		entry.Status = 0
	}
	if out, isObject := a.body.(object); isObject {
		list, _ := out["errors"].([]problem)
		for _, p := range list {
			entry.Errors = append(entry.Errors, p.Message)
		}
	}
	s.requests = append(s.requests, entry)
	return a
}

func (s *Server) decide(q *query, problems []problem) answer {
	f := s.takeFault(q)
	if f != nil {
		switch f.Kind {
		case BadGateway:
			return text(http.StatusBadGateway, "502 Bad Gateway")
		case Throttle:
			return tooMany(max(f.RetryAfter, time.Second))
		case GraphQLError:
			return answer{status: http.StatusOK, body: object{"data": nil, "errors": []problem{{Message: f.Message, Extensions: object{}}}}}
		case ExpireToken:
			if t := s.tokens[q.bearer]; t != nil {
				t.until = s.now()
			}
		}
	}
	if wait := s.throttled(); wait > 0 {
		return tooMany(wait)
	}
	if len(problems) > 0 {
		return answer{status: http.StatusOK, body: object{"data": nil, "errors": problems}}
	}
	a := answer{status: http.StatusOK, body: q.execute()}
	a.cut = f != nil && f.Kind == TimeoutAfterWrite
	return a
}

// takeFault finds the first fault for a query that has no more requests to let pass, and
// uses it up.
func (s *Server) takeFault(q *query) *Fault {
	for i := range s.faults {
		f := &s.faults[i]
		if f.Operation != "" && !slices.Contains(q.operations(), f.Operation) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		taken := *f
		s.faults = slices.Delete(s.faults, i, i+1)
		return &taken
	}
	return nil
}

func tooMany(wait time.Duration) answer {
	a := text(http.StatusTooManyRequests, "429 Too Many Requests")
	a.header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}
	return a
}

// bucket holds what is left of the allowance.
type bucket struct {
	left float64
	at   time.Time // zero before the first request
}

// throttled is how long the next request has to wait; 0 takes it out of the allowance.
func (s *Server) throttled() time.Duration {
	if s.RatePerSecond <= 0 {
		return 0
	}
	rate, now := float64(s.RatePerSecond), s.now()
	if s.bucket.at.IsZero() {
		s.bucket = bucket{left: rate, at: now}
	}
	s.bucket.left = min(rate, s.bucket.left+now.Sub(s.bucket.at).Seconds()*rate)
	s.bucket.at = now
	if s.bucket.left < 1 {
		return time.Duration((1 - s.bucket.left) / rate * float64(time.Second))
	}
	s.bucket.left--
	return 0
}
