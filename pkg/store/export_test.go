package store

import "os"

// RefuseLinks makes d see a file system without hard links, which answers err.
func (d *Directory) RefuseLinks(err error) {
	d.link = func(_ *os.Root, oldName, newName string) error {
		return &os.LinkError{Op: "linkat", Old: oldName, New: newName, Err: err}
	}
}
