package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func failingBody(t *testing.T, s pipeline.Store) {
	broken := errors.New("the source broke")
	for _, size := range []int{0, 10, 6 << 20} {
		body := io.MultiReader(bytes.NewReader(pattern(1, size)), iotest.ErrReader(broken))
		if err := s.Create(t.Context(), "acme/object", body); !errors.Is(err, broken) {
			t.Errorf("got %v, want the error of the body", err)
		}
		wantMissing(t, s, "acme/object")
		wantList(t, s, "")
	}
	create(t, s, "acme/object", []byte("now"))
	wantBody(t, s, "acme/object", []byte("now"))
}

// cancelAfter cancels when the first block has been read.
type cancelAfter struct {
	io.Reader
	cancel func()
}

func (c cancelAfter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.cancel()
	return n, err
}

func cancelled(t *testing.T, s pipeline.Store) {
	create(t, s, "old", pattern(1, 1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, openErr := s.Open(ctx, "old")
	_, listErr := s.List(ctx, "")
	for op, err := range map[string]error{
		"create": s.Create(ctx, "new", strings.NewReader("x")),
		"open":   openErr,
		"list":   listErr,
		"delete": s.Delete(ctx, "old"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: got %v, want context.Canceled", op, err)
		}
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	body := cancelAfter{bytes.NewReader(pattern(2, 12<<20)), cancel}
	if err := s.Create(ctx, "new", body); !errors.Is(err, context.Canceled) {
		t.Errorf("create, cancelled on the way: got %v, want context.Canceled", err)
	}
	wantMissing(t, s, "new")
	wantList(t, s, "", "old")
	wantBody(t, s, "old", pattern(1, 1<<20))
}

func partial(t *testing.T, s pipeline.Store) {
	body, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.Create(t.Context(), "acme/object", body)
		body.CloseWithError(err) // or a failed Create would block the test
		done <- err
	}()
	if _, err := to.Write(pattern(1, 6<<20)); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, "acme/object")
	wantList(t, s, "")
	wantList(t, s, "acme/")
	if err := errors.Join(to.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "acme/object", pattern(1, 6<<20))
	wantList(t, s, "", "acme/object")
}
