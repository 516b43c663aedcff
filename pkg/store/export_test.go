package store

import (
	"os"
	"time"
)

// RefuseLinks makes d see a file system without hard links, which answers err.
func (d *Directory) RefuseLinks(err error) {
	d.link = func(_ *os.Root, oldName, newName string) error {
		return &os.LinkError{Op: "linkat", Old: oldName, New: newName, Err: err}
	}
}

// SetStall makes s give up sooner on a server that went silent.
func (s *S3) SetStall(d time.Duration) { s.stall = d }
