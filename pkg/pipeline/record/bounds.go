package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The bounds of the kinds of records, in bytes as they are stored. A record is read before it is
// verified: who can write to the store must not fill the memory of a command. So each kind has a
// bound that its own content never comes near, and no record is written beyond it.
const (
	maxSmall     = 64 << 10  // who, where, when and how it ended
	maxVariables = 4 << 20   // with a variables.yml or a receipt, or the problems of one
	maxResult    = 64 << 20  // of an apply: it names each of a hundred thousand resources
	maxFleet     = 64 << 20  // each target of a fleet
	maxModel     = 256 << 20 // with the model of a plan of a hundred thousand resources
)

// maxOf is the bound of a record.
func maxOf(key string) int64 {
	folder, name := path.Split(key)
	switch {
	case strings.HasPrefix(key, fleetRoot+"customers/"), strings.HasPrefix(key, fleetRoot+"tokens/"):
		return maxSmall
	case strings.HasPrefix(key, fleetRoot+"rejected/"):
		return maxVariables
	case strings.HasPrefix(key, fleetRoot):
		return maxFleet
	case name == ObjectPlanned:
		return maxModel
	case strings.HasPrefix(name, applyPrefix):
		return maxResult
	case name == ObjectReceipt, strings.HasSuffix(folder, "/requests/"), strings.HasSuffix(folder, "/applied/"):
		return maxVariables
	}
	return maxSmall
}

// checkSize refuses to write a record that no one would read.
func checkSize(key string, size int) error {
	if most := maxOf(key); int64(size) > most {
		return fmt.Errorf("write %s: it has %d bytes, and such a record has at most %d: %w", key, size, most, ErrTooLarge)
	}
	return nil
}

// ErrTooLarge is the error of ReadAtMost about a larger object.
var ErrTooLarge = errors.New("it is larger than anything that is written there")

// readAll reads an object within the bound of its kind; a larger one is ErrTampered.
func readAll(ctx context.Context, s pipeline.Store, key string) ([]byte, error) {
	b, err := ReadAtMost(ctx, s, key, maxOf(key))
	if errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("%w: %w", pipeline.ErrTampered, err)
	}
	return b, err
}

// ReadAtMost reads an object of at most that many bytes; a larger one is ErrTooLarge.
// What it returns is not verified.
func ReadAtMost(ctx context.Context, s pipeline.Store, key string, most int64) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err = errors.Join(err, r.Close()); err == nil && int64(len(b)) > most {
		err = fmt.Errorf("read %s: %w", key, ErrTooLarge)
	}
	return b, err
}
