package pipeline_test

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestUsageError(t *testing.T) {
	cause := errors.New("is missing")
	for want, err := range map[string]*pipeline.UsageError{
		"--a":                            pipeline.Usagef("--a"),
		"--a \"b\"\n→ use c":             pipeline.Usagef("--a %q", "b").Nextf("use %s", "c"),
		"--a: is missing\n→ use 100 % c": pipeline.Usagef("--a").Because(cause).Nextf("use 100 %% c"),
	} {
		if err.Error() != want || errors.Is(err, cause) != (err.Err != nil) {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
