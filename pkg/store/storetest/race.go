package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func oneWriterWins(t *testing.T, s pipeline.Store) {
	const writers = 16
	for round := range 8 {
		key := fmt.Sprintf("acme/race/%d", round)
		errs := make([]error, writers)
		start, done := make(chan struct{}), make(chan int)
		for i := range writers {
			go func() {
				<-start
				errs[i] = s.Create(t.Context(), key, bytes.NewReader(pattern(byte(i), 4000+i)))
				done <- i
			}()
		}
		close(start)
		for range writers {
			<-done
		}
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("%s: writers %d and %d both won", key, winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, pipeline.ErrExists):
				t.Errorf("%s: writer %d: got %v, want ErrExists", key, i, err)
			}
		}
		if winner < 0 {
			t.Fatalf("%s: no writer won: %v", key, errs)
		}
		wantBody(t, s, key, pattern(byte(winner), 4000+winner))
	}
}

func readersSeeWhole(t *testing.T, s pipeline.Store) {
	body := pattern(7, 3<<20)
	done := make(chan error, 1)
	go func() { done <- s.Create(t.Context(), "acme/object", bytes.NewReader(body)) }()
	for {
		got, err := read(t.Context(), s, "acme/object")
		if err == nil {
			if !bytes.Equal(got, body) {
				t.Errorf("a reader got %d bytes of %d", len(got), len(body))
			}
			break
		}
		if !errors.Is(err, pipeline.ErrNotFound) {
			t.Error(err)
			break
		}
		select {
		case err := <-done:
			done <- err
			if err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
