package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/metapipe/metapipe/pkg/retry"
)

const maxKeys = 1 << 20

// KeysUnavailableError says that the issuer's keys could not be fetched, so
// nothing is known about the token. It is worth trying again.
type KeysUnavailableError struct{ Err error }

func (e *KeysUnavailableError) Error() string {
	return fmt.Sprintf("the issuer's keys cannot be fetched: %v", e.Err)
}

func (e *KeysUnavailableError) Unwrap() error { return e.Err }

// Temporary shows callers that know only interfaces what this error means.
func (e *KeysUnavailableError) Temporary() bool { return true }

// keyTransport fetches a key set: bounded, checked and as often as package retry says.
type keyTransport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *keyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	rule := retry.Rule{Near: retry.Near(req.URL.Hostname())}
	err := rule.Do(req.Context(), func(context.Context) (v retry.Verdict) {
		resp, v = t.once(req, rule) //nolint:bodyclose // it is in memory, and go-oidc closes it
		return v
	})
	if err != nil {
		return nil, &KeysUnavailableError{Err: err}
	}
	return resp, nil
}

func (t *keyTransport) once(req *http.Request, rule retry.Rule) (*http.Response, retry.Verdict) {
	resp, err := t.base.RoundTrip(req.Clone(req.Context()))
	if err != nil {
		return nil, retry.Verdict{Err: err, Again: true}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, retry.Verdict{Err: err, Again: true}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, rule.Classify(resp.StatusCode, resp.Header, fmt.Errorf("%s answers HTTP %d", req.URL, resp.StatusCode))
	}
	if len(body) > maxKeys {
		return nil, retry.Verdict{Err: fmt.Errorf("%s answers with more than %d MiB", req.URL, maxKeys>>20)}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, retry.Verdict{}
}

// recordingKeys keeps the error of a key set, whose type go-oidc loses.
type recordingKeys struct {
	oidc.KeySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (k *recordingKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	k.err = err
	return payload, err
}

// explain returns err, or what kept the keys away when that was the reason.
func (k *recordingKeys) explain(ctx context.Context, err error) error {
	var unavailable *KeysUnavailableError
	if errors.As(k.err, &unavailable) {
		return unavailable
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
