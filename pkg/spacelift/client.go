package spacelift

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	"github.com/metapipe/metapipe/pkg/retry"
)

const (
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 16 << 20
	// callTime is how long one request may take.
	callTime = time.Minute
	// renewBefore is how long a token must still be good when it is used.
	renewBefore = 30 * time.Second
)

// Options configure a client.
type Options struct {
	Endpoint string // https://ACCOUNT.app.spacelift.io
	KeyID    string
	// Secret is that of the API key, or the ID token of the run. It is asked for at each login.
	Secret    func(ctx context.Context) (string, error)
	UserAgent string
	Now       func() time.Time
	Sleep     func(context.Context, time.Duration) error
	// Hide makes sure that no log shows a token.
	Hide func(token string) error
	// Transport sends the requests; nil: http.DefaultTransport.
	Transport http.RoundTripper
}

// Client talks to one account.
type Client struct {
	options Options
	http    *http.Client
	rule    retry.Rule

	calls atomic.Int64

	mu    sync.Mutex // of a login
	token string
	until time.Time
}

// New returns a client. It asks for nothing.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is not an address", o.Endpoint)
	}
	near := retry.Near(u.Hostname())
	if u.Scheme != "https" && !near {
		return nil, fmt.Errorf("%s: secrets are sent only with https", o.Endpoint)
	}
	return &Client{
		options: o,
		// A redirect would carry the token to another host.
		http: &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		rule: retry.Rule{Now: o.Now, Sleep: o.Sleep, Near: near},
	}, nil
}

// Calls is how many requests were sent.
func (c *Client) Calls() int { return int(c.calls.Load()) }

// call is one operation.
type call struct {
	operation
	what      string // for messages: "read the stacks"
	variables map[string]any
	secret    bool // what is sent is: no answer to it is quoted, which may repeat it
}

// body is what is sent.
func (k call) body() ([]byte, error) {
	return json.Marshal(map[string]any{"operationName": k.name, "query": k.document, "variables": k.variables})
}

// Error is the refusal of a request by Spacelift.
type Error struct {
	What    string // what was tried
	Message string
	// Unauthorized: no access, or a wrong id. Spacelift does not say which.
	Unauthorized bool
	// NotFound: there is nothing with the id.
	NotFound bool
}

func (e *Error) Error() string {
	s := e.What + ": Spacelift answers " + pipeline.Quote(e.Message)
	if e.Unauthorized {
		s += ", which it also says of an id that does not exist: check the ids in metapipe.yml (a space has an id beside its name), and that the API key may write to the space"
	}
	return s
}

// do sends an operation with a token, and reads data into to.
func (c *Client) do(ctx context.Context, k call, to any) error {
	token, renewed, err := c.login(ctx, "")
	if err != nil {
		return err
	}
	err = c.send(ctx, k, token, to)
	var refused *Error
	if errors.As(err, &refused) && refused.Unauthorized && !renewed {
		// The token may have been taken back. Such an answer says that nothing was done.
		if token, _, err = c.login(ctx, token); err != nil {
			return err
		}
		err = c.send(ctx, k, token, to)
	}
	return err
}

// login returns a token that is good for a while, and whether it is new. dead is one that is not any more.
func (c *Client) login(ctx context.Context, dead string) (token string, renewed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.token != dead && c.now().Before(c.until.Add(-renewBefore)) {
		return c.token, false, nil
	}
	secret, err := c.options.Secret(ctx)
	if err != nil {
		return "", false, fmt.Errorf("log in to Spacelift: %w", err)
	}
	var answer struct {
		User *struct {
			JWT        string `json:"jwt"`
			ValidUntil int64  `json:"validUntil"` // Unix time in seconds
		} `json:"apiKeyUser"`
	}
	err = c.send(ctx, call{operation: loginOperation, what: "log in to Spacelift", variables: map[string]any{"id": c.options.KeyID, "secret": secret}}, "", &answer)
	if err != nil {
		return "", false, withoutSecret(err, secret)
	}
	if answer.User == nil || answer.User.JWT == "" {
		return "", false, ErrNoKey
	}
	if c.options.Hide != nil {
		if err := c.options.Hide(answer.User.JWT); err != nil {
			return "", false, err
		}
	}
	c.token, c.until = answer.User.JWT, time.Unix(answer.User.ValidUntil, 0)
	return c.token, true, nil
}

// ErrNoKey is the error of a login with an id and a secret that are not those of an API key.
var ErrNoKey = errors.New("log in to Spacelift: no API key has this id and secret")

// withoutSecret takes a secret out of an error, should an answer repeat it.
func withoutSecret(err error, secret string) error {
	if secret != "" && strings.Contains(err.Error(), secret) {
		return errors.New(strings.ReplaceAll(err.Error(), secret, "***"))
	}
	return err
}

func (c *Client) now() time.Time {
	if c.options.Now == nil {
		return time.Now()
	}
	return c.options.Now()
}

// send sends an operation, again where the answer says that nothing was done, and a query also after any failure
// that may pass. A mutation of which that is not known ends with a *provision.UnknownError.
func (c *Client) send(ctx context.Context, k call, token string, to any) error {
	body, err := k.body()
	if err != nil {
		return fmt.Errorf("%s: %w", k.what, err)
	}
	return c.rule.Do(ctx, func(ctx context.Context) retry.Verdict {
		limited, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		status, header, answer, err := c.try(limited, k, body, token)
		switch {
		case err != nil:
			return retry.Verdict{Err: k.unknown(err), Again: k.repeats}
		case status != http.StatusOK:
			v := c.rule.Classify(status, header, fmt.Errorf("%s: Spacelift answers HTTP %d %s", k.what, status, http.StatusText(status)))
			if !k.repeats && !retry.Limited(status, header) && status >= http.StatusInternalServerError {
				v.Again, v.Err = false, &provision.UnknownError{Err: v.Err}
			}
			return v
		}
		err = k.decode(answer, to)
		var refused *Error
		return retry.Verdict{Err: err, Again: k.repeats && !errors.As(err, &refused)}
	})
}

// unknown is the error of a request without an answer.
func (k call) unknown(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) { // it would repeat the address
		err = sent.Err
	}
	err = fmt.Errorf("%s: %w", k.what, err)
	if !k.repeats {
		return &provision.UnknownError{Err: err}
	}
	return err
}

func (c *Client) try(ctx context.Context, k call, body []byte, token string) (int, http.Header, []byte, error) {
	c.calls.Add(1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.options.Endpoint, "/")+"/graphql", bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", c.options.UserAgent)
	r.Header.Set("Spacelift-Client-Type", "metapipe")
	r.Header.Set(k.header(), k.name)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return answer.StatusCode, answer.Header, raw, err
}

// decode reads an answer. Spacelift answers with HTTP 200 also where it refuses.
func (k call) decode(raw []byte, to any) error {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return k.unreadable(errors.New("the answer is not JSON"))
	}
	if len(answer.Errors) > 0 {
		message := answer.Errors[0].Message
		lower := strings.ToLower(message)
		refused := &Error{What: k.what, Message: pipeline.Clip(pipeline.PlainLine(message), 300), Unauthorized: strings.Contains(lower, "unauthorized"), NotFound: strings.Contains(lower, "not found")}
		if k.secret && !refused.Unauthorized {
			refused.Message = "an error that is not shown, since it may repeat the value"
		} else if k.secret {
			refused.Message = "unauthorized"
		}
		return refused
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return k.unreadable(errors.New("the answer has neither data nor errors"))
	}
	if err := json.Unmarshal(answer.Data, to); err != nil {
		return k.unreadable(fmt.Errorf("the answer has another form: %w", err))
	}
	return nil
}

// unreadable is the error of an answer that says nothing: what a mutation has done is not known.
func (k call) unreadable(err error) error {
	err = fmt.Errorf("%s: %w", k.what, err)
	if !k.repeats {
		return &provision.UnknownError{Err: err}
	}
	return err
}
