package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
)

const maxTokenAnswer = 64 << 10

// NoIDTokenError says that the runner's token endpoint gave no ID token, although the
// job may have one.
type NoIDTokenError struct{ Err error }

func (e *NoIDTokenError) Error() string {
	return "ask the runner for an ID token: " + e.Err.Error() + "\n→ run this job again; if it goes on, see https://www.githubstatus.com"
}

func (e *NoIDTokenError) Unwrap() error { return e.Err }

// Short is why there is no token, in words for a commit status.
func (e *NoIDTokenError) Short() string { return "the runner gave no ID token" }

// IDToken asks the runner for an ID token for audience and masks it. Without
// the permission it is a *pipeline.UsageError, otherwise a *NoIDTokenError. The
// request, which costs nothing to repeat, is sent again as package retry says.
// https://docs.github.com/actions/reference/security/oidc
func (r *Runner) IDToken(ctx context.Context, audience string) (string, error) {
	address, _ := r.o.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
	bearer, _ := r.o.Lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", pipeline.Usagef("this job may not ask for an ID token").
			Nextf("give the job `permissions: id-token: write` (runs for forks and for Dependabot never get one)")
	}
	u, err := parseAddress(address)
	if err != nil {
		return "", pipeline.Usagef("ask the runner for an ID token: ACTIONS_ID_TOKEN_REQUEST_URL").Because(err)
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	var token string
	rule := retry.Rule{Sleep: r.o.Sleep, MaxWait: r.o.MaxWait, Near: retry.Near(u.Hostname())}
	err = rule.Do(ctx, func(ctx context.Context) (v retry.Verdict) {
		token, v = r.requestToken(ctx, rule, u.String(), bearer)
		return v
	})
	if err != nil {
		return "", &NoIDTokenError{Err: err}
	}
	if err := r.Mask(token); err != nil {
		return "", err
	}
	return token, nil
}

func (r *Runner) requestToken(ctx context.Context, rule retry.Rule, address, bearer string) (string, retry.Verdict) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", retry.Verdict{Err: errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is not a URL")}
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	resp, err := r.o.HTTP.Do(req)
	if err != nil {
		return "", retry.Verdict{Err: err, Again: true}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return "", retry.Verdict{Err: err, Again: true}
	}
	if resp.StatusCode != http.StatusOK {
		return "", rule.Classify(resp.StatusCode, resp.Header, fmt.Errorf("HTTP %d", resp.StatusCode))
	}
	var got struct {
		Value string `json:"value"`
	}
	// The answer is a secret, so no error repeats it.
	if err := json.Unmarshal(body, &got); err != nil || !compact(got.Value) {
		return "", retry.Verdict{Err: errors.New("the answer holds no token")}
	}
	return got.Value, retry.Verdict{}
}
