package terraformtest

import (
	"fmt"
	"os"
	"testing"
)

// FakeBinary answers to `version -json` and counts how often.
func FakeBinary(t *testing.T, path, version string) string {
	t.Helper()
	WriteFile(t, path, fmt.Sprintf("#!/bin/sh\necho x >> %s.asked\necho '{\"terraform_version\": \"%s\"}'\n", path, version))
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
