// Package storetest is what every pipeline.Store must pass, whatever it keeps
// its objects in.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Run runs the suite. Each test gets a store of its own from open, which must
// be empty and be cleaned up by the test that it is given.
func Run(t *testing.T, open func(t *testing.T) pipeline.Store) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, s pipeline.Store)
	}{
		{"reads back what was created", readsBack},
		{"opens only whole keys", opensOnlyWholeKeys},
		{"creates a key once", createsOnce},
		{"creates nothing from a body that fails", failingBody},
		{"creates nothing when cancelled", cancelled},
		{"shows nothing of an object being written", partial},
		{"lets one of many writers win", oneWriterWins},
		{"shows readers whole objects only", readersSeeWhole},
		{"creates many keys at once", manyKeys},
		{"keeps the chain of a ledger", ledgerRace},
		{"lists in byte order", listsInOrder},
		{"lists by prefix", listsByPrefix},
		{"lists folders", listsFolders},
		{"deletes", deletes},
		{"never overwrites a key that differs in case", caseOnly},
		{"refuses keys that are none", refusesKeys},
		{"refuses to write the state of the tool", refusesState},
		{"removes states, and puts them back once", putsBack},
		{"names key and operation in errors", namesKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func create(t *testing.T, s pipeline.Store, key string, body []byte) {
	t.Helper()
	if err := s.Create(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
}

func read(ctx context.Context, s pipeline.Store, key string) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func wantBody(t *testing.T, s pipeline.Store, key string, want []byte) {
	t.Helper()
	got, err := read(t.Context(), s, key)
	if err != nil {
		t.Errorf("read %s: %v", key, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("read %s: got %d bytes, want the %d that were created", key, len(got), len(want))
	}
}

func wantMissing(t *testing.T, s pipeline.Store, key string) {
	t.Helper()
	if _, err := read(t.Context(), s, key); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("open %s: got %v, want ErrNotFound", key, err)
	}
}

func wantList(t *testing.T, s pipeline.Store, prefix string, want ...string) {
	t.Helper()
	got, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Errorf("list %q: %v", prefix, err)
	} else if !slices.Equal(got, want) {
		t.Errorf("list %q:\n got %q\nwant %q", prefix, got, want)
	}
}

// pattern returns n bytes that say where they stand and who wrote them.
func pattern(writer byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = writer ^ byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}

func readsBack(t *testing.T, s pipeline.Store) {
	bodies := map[string][]byte{
		"empty":                           {},
		"a/b/c/d/e/f/g":                   []byte("deep"),
		"acme/staging/plan.bin":           pattern(1, 9<<20), // more than one part of any protocol
		"odd/ name with spaces":           []byte("\x00\xff\r\n"),
		"odd/ünïcode+%2F&=?#~":            []byte("x"),
		"odd/.hidden":                     []byte("y"),
		"odd/a..b":                        []byte("z"),
		"odd/" + strings.Repeat("n", 255): []byte("long"),
	}
	for key, body := range bodies {
		create(t, s, key, body)
	}
	for key, body := range bodies {
		wantBody(t, s, key, body)
	}
	if err := s.Create(t.Context(), "dribble", iotest.OneByteReader(bytes.NewReader(pattern(2, 3000)))); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "dribble", pattern(2, 3000))
}

func opensOnlyWholeKeys(t *testing.T, s pipeline.Store) {
	wantMissing(t, s, "acme/plan")
	create(t, s, "acme/plans/1", []byte("x"))
	for _, key := range []string{"acme", "acme/plan", "acme/plans", "acme/plans/1/2", "acme/plans/11", "1"} {
		wantMissing(t, s, key)
	}
}

func createsOnce(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/receipt", []byte("first"))
	for _, body := range []string{"second", "", "first"} {
		if err := s.Create(t.Context(), "acme/receipt", strings.NewReader(body)); !errors.Is(err, pipeline.ErrExists) {
			t.Errorf("create again: got %v, want ErrExists", err)
		}
	}
	wantBody(t, s, "acme/receipt", []byte("first"))
	wantList(t, s, "", "acme/receipt")
}

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
			t.Fatalf("%s: nobody won: %v", key, errs)
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

func manyKeys(t *testing.T, s pipeline.Store) {
	const n = 40
	var want []string
	done := make(chan error)
	for i := range n {
		key := fmt.Sprintf("tenant-%02d/staging/plan", i/4) + strings.Repeat("/x", i%4) + "-"
		want = append(want, key)
		go func() { done <- s.Create(t.Context(), key, strings.NewReader(key)) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	slices.Sort(want)
	wantList(t, s, "", want...)
	for _, key := range want {
		wantBody(t, s, key, []byte(key))
	}
}

func listsInOrder(t *testing.T, s pipeline.Store) {
	wantList(t, s, "")
	// Byte order of whole keys: '-' < '.' < '/' < '0' < 'T' < 'a' < 'ü'.
	want := []string{"a-b/x", "a.b", "a/b", "a/b-c", "a0", "aT", "aa", "ab/1", "ab/10", "ab/2", "aü"}
	for i := range want {
		create(t, s, want[(i*7+3)%len(want)], nil)
	}
	wantList(t, s, "", want...)
}

func listsByPrefix(t *testing.T, s pipeline.Store) {
	for _, key := range []string{"acme/requests/1", "acme/requests/2", "acme/staging/plans/1/receipt", "acme-corp/requests/1", "acme/requests-old", "top"} {
		create(t, s, key, nil)
	}
	wantList(t, s, "acme/", "acme/requests-old", "acme/requests/1", "acme/requests/2", "acme/staging/plans/1/receipt")
	wantList(t, s, "acme/requests/", "acme/requests/1", "acme/requests/2")
	wantList(t, s, "acme/requests", "acme/requests-old", "acme/requests/1", "acme/requests/2")
	wantList(t, s, "acme/requests/2", "acme/requests/2")
	wantList(t, s, "acme/requests/2/")
	wantList(t, s, "acme/st", "acme/staging/plans/1/receipt")
	wantList(t, s, "t", "top")
	wantList(t, s, "nobody/")
	wantList(t, s, "top/below/")
	for _, prefix := range []string{"/", "../", "acme//", "acme/../", "./", `acme\`, "acme/\x00"} {
		if keys, err := s.List(t.Context(), prefix); err == nil {
			t.Errorf("list %q: got %q, want an error", prefix, keys)
		}
	}
}

func deletes(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/a", []byte("1"))
	create(t, s, "acme/b", []byte("2"))
	for _, key := range []string{"acme/a", "acme/a", "acme/none", "none/at/all", "acme", "acme/b/c"} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	wantMissing(t, s, "acme/a")
	wantBody(t, s, "acme/b", []byte("2"))
	wantList(t, s, "", "acme/b")
	create(t, s, "acme/a", []byte("3"))
	wantBody(t, s, "acme/a", []byte("3"))
}

func caseOnly(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/Plan", []byte("upper"))
	err := s.Create(t.Context(), "acme/plan", strings.NewReader("lower"))
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		t.Errorf("got %v, want a second object or ErrExists", err)
	}
	wantBody(t, s, "acme/Plan", []byte("upper"))
}

func refusesKeys(t *testing.T, s pipeline.Store) {
	keys := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", `a\b`, `..\a`, "C:a",
		"a\x00b", "a\nb", "a/\x7f", "a\u0085b", "a\xffb", "a.", "a /b", "a/" + strings.Repeat("n", 256),
		strings.Repeat("long/", 300) + "x",
	}
	for _, key := range keys {
		_, openErr := read(t.Context(), s, key)
		for op, err := range map[string]error{
			"create": s.Create(t.Context(), key, strings.NewReader("x")),
			"open":   openErr,
			"delete": s.Delete(t.Context(), key),
		} {
			if err == nil || errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrExists) {
				t.Errorf("%s %q: got %v, want it refused as a key", op, key, err)
			}
		}
	}
	wantList(t, s, "")
}

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
	for _, other := range []string{"acme/staging/ledger/0000000001.json", "acme/staging/terraform.tfstate.tflock", "acme/staging/terraform.tfstate/x", "../terraform.tfstate"} {
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

func namesKey(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/taken", nil)
	_, err := s.Open(t.Context(), "acme/none")
	for op, err := range map[string]error{
		"create \"acme/taken\"": s.Create(t.Context(), "acme/taken", strings.NewReader("x")),
		"open \"acme/none\"":    err,
	} {
		if err == nil || !strings.Contains(err.Error(), op) {
			t.Errorf("got %v, want an error that contains %s", err, op)
		}
	}
}

func listsFolders(t *testing.T, s pipeline.Store) {
	want := func(prefix string, want ...string) {
		t.Helper()
		got, err := s.Folders(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("folders of %q: %q, %v; want %q", prefix, got, err, want)
		}
	}
	want("")
	want("a/")
	for _, key := range []string{"a/staging/x", "a/staging/y", "a/prod/x", "a-b/staging/x", "top", "a/file"} {
		create(t, s, key, []byte("x"))
	}
	want("", "a-b/", "a/")
	want("a/", "prod/", "staging/")
	want("a/staging/")
	want("b/")
}
