// Package workflows holds the workflows that managers, customers and inboxes copy, so that the
// binary can write them where there is no checkout of metapipe.
package workflows

import "embed"

// Files holds manager/, customer/ and inbox/ as they lie in this directory.
//
//go:embed manager/*.yml customer/*.yml customer/*.md inbox/*.yml
var Files embed.FS
