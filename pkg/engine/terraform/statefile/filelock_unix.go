//go:build unix

package statefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// IsLocked reports whether another process holds the lock that the tool takes on
// a state file: a write lock on the whole of it.
func IsLocked(state string) (bool, error) {
	file, err := os.OpenFile(filepath.Clean(state), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: int16(io.SeekStart)}
	err = syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock)
	return lock.Type != syscall.F_UNLCK, errors.Join(err, file.Close())
}
