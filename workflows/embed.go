// Package workflows holds the workflows that managers and customers copy, so that the
// binary can write them where there is no checkout of metapipe.
package workflows

import "embed"

// Files holds manager/ and customer/ as they lie in this directory.
//
//go:embed manager/*.yml customer/*.yml customer/*.md
var Files embed.FS
