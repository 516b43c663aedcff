package statefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// IsLocked reports whether another process holds the lock that the tool takes on
// a state file: Windows lets no one else read it then.
func IsLocked(state string) (bool, error) {
	file, err := os.Open(filepath.Clean(state))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, readErr := file.Read(make([]byte, 1))
	return readErr != nil && !errors.Is(readErr, io.EOF), file.Close()
}
