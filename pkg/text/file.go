package text

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// FileError gives the error of a file operation plain words in place of those of the
// operating system and of os.Root. It names no path, which the caller's message does.
// Causes are still found in it; another error is returned as it is.
func FileError(err error) error {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		var plain []error
		for _, one := range several.Unwrap() {
			plain = append(plain, FileError(one))
		}
		return errors.Join(plain...)
	}
	var cause error
	switch e := err.(type) { //nolint:errorlint // what wraps one has words of its own
	case *fs.PathError:
		cause = e.Err
	case *os.LinkError:
		cause = e.Err
	default:
		return err
	}
	return &fileError{plainCause(cause), err}
}

type fileError struct {
	words string
	err   error
}

func (e *fileError) Error() string { return e.words }

func (e *fileError) Unwrap() error { return e.err }

// LeavesDirectory reports whether os.Root refused a path that leads out of its directory.
// It exports no such error.
func LeavesDirectory(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Err != nil && path.Err.Error() == "path escapes from parent"
}

// plainCause are the words for why a file cannot be used.
func plainCause(cause error) string {
	for _, c := range []struct {
		is    error
		words string
	}{
		{fs.ErrNotExist, "it does not exist"},
		{fs.ErrPermission, "permission is denied"},
		{syscall.ELOOP, "its link leads back to itself"},
		{syscall.ENOTDIR, "there is a file where a directory should be"},
		{syscall.EISDIR, "it is a directory"},
		{syscall.ENAMETOOLONG, "its name is too long"},
	} {
		if errors.Is(cause, c.is) {
			return c.words
		}
	}
	if LeavesDirectory(&fs.PathError{Err: cause}) {
		return "a link in its path leads out of the directory"
	}
	return cause.Error()
}

// DiskFull reports whether a write failed since there is no space left: none on the disk, or
// none that this user may take.
func DiskFull(err error) bool { return diskFull(err, runtime.GOOS) }

func diskFull(err error, system string) bool {
	if system == "windows" {
		// What package syscall calls ENOSPC there is an invented number, which Windows never answers.
		const handleDiskFull, diskFull = syscall.Errno(39), syscall.Errno(112)
		return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
