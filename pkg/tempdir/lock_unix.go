//go:build unix

package tempdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// lock takes the lock of a directory, which ends with the last process that holds
// it. The descriptor is inherited by the processes that this one starts.
func lock(dir string) (unlock func() error, err error) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ENOENT) {
		return nil, errInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = syscall.Close(fd)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errInUse
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	unlock = func() error { return syscall.Close(fd) }
	if !stillThere(fd, dir) {
		return nil, errors.Join(errInUse, unlock())
	}
	return unlock, nil
}

// stillThere reports whether the locked directory is the one that the path names:
// it may have been removed before it was locked.
func stillThere(fd int, dir string) bool {
	var locked, named syscall.Stat_t
	return syscall.Fstat(fd, &locked) == nil && syscall.Lstat(dir, &named) == nil && locked.Dev == named.Dev && locked.Ino == named.Ino
}

// private reports whether the directory belongs to this user alone.
func private(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm() == 0o700
}
