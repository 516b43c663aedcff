package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	maxKeys     = 1 << 20
	keyAttempts = 3
)

// KeysUnavailableError says that the issuer's keys could not be fetched, so
// nothing is known about the token. It is worth trying again.
type KeysUnavailableError struct{ Err error }

func (e *KeysUnavailableError) Error() string {
	return fmt.Sprintf("the issuer's keys cannot be fetched: %v", e.Err)
}

func (e *KeysUnavailableError) Unwrap() error { return e.Err }

// Temporary tells callers that know only interfaces what this error means.
func (e *KeysUnavailableError) Temporary() bool { return true }

// keyTransport fetches a key set: bounded, checked and up to three times.
type keyTransport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *keyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := t.once(req)
		if err == nil {
			return resp, nil
		}
		if attempt == keyAttempts {
			return nil, &KeysUnavailableError{Err: err}
		}
		select {
		case <-req.Context().Done():
			return nil, &KeysUnavailableError{Err: req.Context().Err()}
		case <-time.After(time.Duration(attempt) * time.Second / 2):
		}
	}
}

func (t *keyTransport) once(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req.Clone(req.Context()))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers HTTP %d", req.URL, resp.StatusCode)
	}
	if len(body) > maxKeys {
		return nil, fmt.Errorf("%s answers with more than %d MiB", req.URL, maxKeys>>20)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
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
