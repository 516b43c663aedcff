package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestQuestionsOfInit: an empty line takes what stands in brackets, and the end of the input writes nothing.
func TestQuestionsOfInit(t *testing.T) {
	t.Parallel()
	for answers, want := range map[string]initOptions{
		"\n\n\n\n": {environments: []string{"staging", "production"}, gated: []string{"production"}, tool: "terraform"},
		"dev, test live\nnone\ntofu\nacme-states\n": {environments: []string{"dev", "test", "live"}, gated: []string{"none"}, tool: "tofu", bucket: "acme-states"},
	} {
		var got initOptions
		if err := newQuestions(&App{In: strings.NewReader(answers), Err: io.Discard}).manager(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(initOptions{}, gitHubOptions{})); diff != "" {
			t.Error(diff)
		}
	}
	dir := filepath.Join(t.TempDir(), "manager")
	play := func(answers string) (string, error) {
		var out bytes.Buffer
		a := &App{In: strings.NewReader(answers), Out: &out, Err: &out, Dir: t.TempDir(), Now: time.Now}
		return out.String(), a.init(t.Context(), initOptions{dir: dir, asks: true})
	}
	var usage *pipeline.UsageError
	if _, err := play("\n\n\n"); !errors.As(err, &usage) {
		t.Errorf("the end of the input: %v", err)
	}
	if _, err := play("\n\n\n\nn\n"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	if _, err := play("\n\n\n\ny\n"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "metapipe.yml")); err != nil {
		t.Error(err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	silent, person := io.Pipe()
	defer func() { _ = person.Close() }()
	if _, err := newQuestions(&App{In: silent, Err: io.Discard}).ask(stopped, "?", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a person who stops: %v", err)
	}
}

// TestStoppedInit: wherever the writes end, the next run writes the rest.
func TestStoppedInit(t *testing.T) {
	t.Parallel()
	o := initOptions{environments: []string{"dev", "live"}, tool: "terraform", dir: "manager"}
	whole := &App{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Dir: t.TempDir(), Now: time.Now}
	if err := whole.init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	files, err := whole.initFiles(o)
	if err != nil {
		t.Fatal(err)
	}
	for stopped := range files {
		a := *whole
		a.Dir = t.TempDir()
		part := map[string][]byte{}
		for name, content := range files {
			if name < stopped {
				part[name] = content
			}
		}
		if err := writeNew(filepath.Join(a.Dir, o.dir), part); err != nil {
			t.Fatal(err)
		}
		if err := a.init(t.Context(), o); err != nil {
			t.Fatalf("stopped at %s: %v", stopped, err)
		}
		for name, content := range files {
			if got, err := os.ReadFile(filepath.Join(a.Dir, o.dir, name)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("stopped at %s: %s is %q: %v", stopped, name, got, err)
			}
		}
	}
}
