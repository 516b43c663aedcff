package main

import (
	"os"
	"sync"
	"syscall"
)

// CanMount tries it once: root in a container often may not.
var CanMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "metapipe-mount-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(dir) }()
	if MountSmall(dir, "100k") != nil {
		return false
	}
	return UnmountSmall(dir) == nil
})

func MountSmall(dir, size string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
}

func UnmountSmall(dir string) error { return syscall.Unmount(dir, 0) }
