package pipeline

import (
	"context"
	"io"
	"time"
)

// Store keeps write-once objects under slash-separated keys. Its state bucket
// also holds the tool's own state files, which are never touched through it.
type Store interface {
	// Create writes an object whole or not at all. A taken key is ErrExists and
	// leaves the old object as it is.
	Create(ctx context.Context, key string, body io.Reader) error
	// Open reads an object; a missing one is ErrNotFound.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// List returns the keys under prefix in ascending byte order.
	List(ctx context.Context, prefix string) ([]string, error)
	// ListAfter is List without the keys up to after, which are not asked for: its cost
	// is that of what it returns.
	ListAfter(ctx context.Context, prefix, after string) ([]string, error)
	// First returns the first of the keys that List returns, without asking for the others; empty
	// where there is none.
	First(ctx context.Context, prefix string) (string, error)
	// Folders returns the first parts, each with its slash, of what follows prefix in the
	// keys that have a slash there; each once, in ascending byte order. prefix is empty or
	// ends at a slash.
	Folders(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error
}

// OrderTimes is the time at the beginning of an order.
const OrderTimes = "20060102T150405.000000000Z"

// OrderStart stands before every order of that time and later ones.
func OrderStart(at time.Time) string { return at.UTC().Format(OrderTimes) }
