package main

import (
	"os"
	"sync"
	"syscall"
)

// canMount tries it once: root in a container often may not.
var canMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "metapipe-mount-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(dir) }()
	if mountSmall(dir, "100k") != nil {
		return false
	}
	return unmountSmall(dir) == nil
})

func mountSmall(dir, size string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
}

func unmountSmall(dir string) error { return syscall.Unmount(dir, 0) }
