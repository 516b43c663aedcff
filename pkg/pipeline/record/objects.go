package record

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// OnceRead is a store of which each object is read once, since it stays as it was written. Its lists are asked for
// each time.
type OnceRead struct{ *View }

// NewOnceRead returns a store that has read nothing yet.
func NewOnceRead(s pipeline.Store) OnceRead { return OnceRead{NewView(s)} }

// List implements pipeline.Store.
func (s OnceRead) List(ctx context.Context, prefix string) ([]string, error) {
	return s.Store.List(ctx, prefix)
}

// ListAfter implements pipeline.Store.
func (s OnceRead) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	return s.Store.ListAfter(ctx, prefix, after)
}

// First implements pipeline.Store.
func (s OnceRead) First(ctx context.Context, prefix string) (string, error) {
	return s.Store.First(ctx, prefix)
}

// Folders implements pipeline.Store.
func (s OnceRead) Folders(ctx context.Context, prefix string) ([]string, error) {
	return s.Store.Folders(ctx, prefix)
}
