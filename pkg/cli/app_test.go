package cli

import (
	"context"
	"fmt"
	"testing"
)

func TestPlainWordsOfACancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	err := fmt.Errorf("make the plan: %w", context.Canceled)
	if got := plainWords(ctx, err); got != "make the plan: context canceled" {
		t.Errorf("before: %q", got)
	}
	cancel()
	if got := plainWords(ctx, err); got != "make the plan: cancelled" {
		t.Errorf("after: %q", got)
	}
}
