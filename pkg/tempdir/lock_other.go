//go:build !unix

package tempdir

import "io/fs"

// lock does nothing where directories cannot be locked.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }

// private is false: without locks nothing is known to be a leftover.
func private(fs.FileInfo) bool { return false }
