package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// readerGone takes n bytes, and fails as a pipe without a reader does from then on.
type readerGone struct {
	n, tries int
}

func (r *readerGone) Write(p []byte) (int, error) {
	if len(p) <= r.n {
		r.n -= len(p)
		return len(p), nil
	}
	r.n = 0
	r.tries++
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

// TestReaderGoesAway: a command without a reader ends as one that was cancelled, without
// an error message, whether it writes once or in many pieces.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	dir := managerTree(t)
	if err := os.MkdirAll(filepath.Join(dir, ".metapipe", "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"state list", "state list --json", "schema", "reference", "version", "version --json", "validate --manager-dir .", "state show --customer shop --environment staging"} {
		for _, n := range []int{0, 10} {
			out := &readerGone{n: n}
			var complaints bytes.Buffer
			app := testApp(out, &complaints, "GITHUB_ACTIONS=false")
			app.Dir, app.In = dir, strings.NewReader("")
			code := Main(t.Context(), strings.Fields(args), app)
			if code != ExitCancelled || complaints.Len() > 0 {
				t.Errorf("%s after %d bytes: exit code %d\n%s", args, n, code, &complaints)
			}
			if out.tries != 1 {
				t.Errorf("%s after %d bytes: %d writes found no reader, want 1", args, n, out.tries)
			}
		}
	}
}

// TestErrorsBesideClosedPipe: what went wrong apart from the lost reader is still printed.
func TestErrorsBesideClosedPipe(t *testing.T) {
	t.Parallel()
	print9 := errors.Join(errClosedPipe, errClosedPipe, fmt.Errorf("set output x: %w", errClosedPipe))
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errClosedPipe, true},
		{print9, true},
		{fmt.Errorf("plan: %w", errors.Join(print9, context.Canceled)), true},
		{&pipeline.UsageError{Message: "print it", Err: errClosedPipe}, true},
		{nil, false},
		{context.Canceled, false},
		{errors.New("the state could not be written"), false},
		{errors.Join(print9, errors.New("the state could not be written")), false},
		{fmt.Errorf("%w, and %w", errClosedPipe, &pipeline.UsageError{Message: "no key"}), false},
	} {
		if got := onlyClosedPipe(c.err); got != c.want {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
}

func TestClosedPipeOnce(t *testing.T) {
	t.Parallel()
	no := errClosedPipe.Error()
	for text, want := range map[string]string{
		"": "", "a\na\n\n\na": "a\na\n\n\na", no: no, no + "\nset output b: " + no + "\nlost\nlost": no + "\nlost\nlost", "lost\nprint: " + no + "\n" + no: "lost\nprint: " + no,
	} {
		if got := closedPipeOnce(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
