package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func refusesState(t *testing.T, s pipeline.Store) {
	for _, key := range []string{"acme/staging/terraform.tfstate", "acme/staging/terraform.tfstate.backup", "acme/staging/terraform.tfstate.tflock", "acme/staging/.terraform.tfstate.lock.info"} {
		if err := s.Create(t.Context(), key, strings.NewReader("{}")); err == nil || errors.Is(err, pipeline.ErrExists) {
			t.Errorf("create %s: got %v, want it refused", key, err)
		}
		if err := s.Delete(t.Context(), key); err == nil {
			t.Errorf("delete %s was accepted", key)
		}
	}
	wantList(t, s, "")
}

// putsBack does to a state what a restore does, to small ones and to one of several parts.
func putsBack(t *testing.T, s pipeline.Store) {
	states, ok := s.(interface {
		RemoveState(ctx context.Context, key string) error
		PutBack(ctx context.Context, key string, body io.Reader) error
	})
	if !ok {
		t.Fatalf("%T does not put states back", s)
	}
	const key = "acme/staging/terraform.tfstate"
	for _, body := range [][]byte{[]byte("{}"), []byte("not a state"), pattern(7, 9<<20)} {
		if err := states.PutBack(t.Context(), key, bytes.NewReader(body)); err != nil {
			t.Fatalf("put back %d bytes: %v", len(body), err)
		}
		if err := states.PutBack(t.Context(), key, strings.NewReader("another one")); !errors.Is(err, pipeline.ErrExists) {
			t.Errorf("over a state: %v", err)
		}
		wantBody(t, s, key, body)
		for range 2 { // the answer to the first may be lost
			if err := states.RemoveState(t.Context(), key); err != nil {
				t.Fatalf("remove: %v", err)
			}
		}
		wantMissing(t, s, key)
	}
	for _, other := range []string{"acme/staging/ledger/9999999998-1.json", "acme/staging/terraform.tfstate.tflock", "acme/staging/terraform.tfstate/x", "../terraform.tfstate"} {
		if err := states.PutBack(t.Context(), other, strings.NewReader("x")); err == nil || errors.Is(err, pipeline.ErrExists) {
			t.Errorf("put back %s: %v", other, err)
		}
		if err := states.RemoveState(t.Context(), other); err == nil {
			t.Errorf("remove %s was accepted", other)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := states.PutBack(stopped, key, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("put back when cancelled: %v", err)
	}
	wantMissing(t, s, key)
}
