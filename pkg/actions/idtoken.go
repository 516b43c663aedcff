package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	maxTokenAnswer = 64 << 10
	tokenAttempts  = 3
)

// IDToken asks the runner for an ID token for audience and masks it. Without
// the permission it is a *pipeline.UsageError. The request, which costs nothing
// to repeat, is sent up to three times.
// https://docs.github.com/actions/reference/security/oidc
func (r *Runner) IDToken(ctx context.Context, audience string) (string, error) {
	address, _ := r.o.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
	bearer, _ := r.o.Lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", &pipeline.UsageError{
			Message: "this job may not ask for an ID token",
			Next:    "give the job `permissions: id-token: write` (runs for forks and for Dependabot never get one)",
		}
	}
	u, err := parseAddress(address)
	if err != nil {
		return "", &pipeline.UsageError{Message: "ask the runner for an ID token: ACTIONS_ID_TOKEN_REQUEST_URL", Err: err}
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	var token string
	for attempt := 1; ; attempt++ {
		var again bool
		token, again, err = r.askToken(ctx, u.String(), bearer)
		if err == nil {
			break
		}
		if !again || attempt == tokenAttempts {
			return "", fmt.Errorf("ask the runner for an ID token: %w", err)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("ask the runner for an ID token: %w", ctx.Err())
		case <-time.After(time.Duration(attempt) * time.Second / 2):
		}
	}
	if err := r.Mask(token); err != nil {
		return "", err
	}
	return token, nil
}

func (r *Runner) askToken(ctx context.Context, address, bearer string) (token string, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", false, errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	resp, err := r.o.HTTP.Do(req)
	if err != nil {
		return "", ctx.Err() == nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return "", ctx.Err() == nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", resp.StatusCode >= 500, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	var got struct {
		Value string `json:"value"`
	}
	// The answer is a secret, so no error repeats it.
	if err := json.Unmarshal(body, &got); err != nil || !compact(got.Value) {
		return "", false, errors.New("the answer holds no token")
	}
	return got.Value, false, nil
}
