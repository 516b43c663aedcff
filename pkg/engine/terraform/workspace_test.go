package terraform

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestFullDiskHasARemedy(t *testing.T) {
	t.Parallel()
	w := &workspace{job: terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, nil)}
	full := &fs.PathError{Op: "write", Path: "/private/x", Err: syscall.ENOSPC}
	var failed *pipeline.FailedError
	if err := w.written("copy", full); !errors.As(err, &failed) || !strings.Contains(failed.Operator, "--work-dir") || failed.Next != pipeline.ProviderNext || !errors.Is(err, syscall.ENOSPC) || strings.Contains(failed.Message, "/private") {
		t.Errorf("full: %v", err)
	}
	var usage *pipeline.UsageError
	if err := w.written("copy", &fs.PathError{Op: "open", Path: "/private/x", Err: syscall.EACCES}); !errors.As(err, &usage) || !strings.Contains(usage.Next, "--work-dir") {
		t.Errorf("forbidden: %v", err)
	}
	other := errors.New("other")
	if err := w.written("copy", other); !errors.Is(err, other) || errors.As(err, &usage) && errors.Is(usage.Err, other) {
		t.Errorf("other: %v", err)
	}
}
