package cli

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// workerMemory is what one target may need: the tool and its providers.
const workerMemory = 700 << 20

// defaultWorkers is one for each processor, as far as the memory lasts.
func defaultWorkers() int {
	n := runtime.GOMAXPROCS(0) // knows the limit of a container
	if free, known := freeMemory("/"); known {
		n = min(n, int(free/workerMemory))
	}
	return max(n, 1)
}

// freeMemory is what Linux has to give to this process, in bytes: that of the
// machine, and of every control group that it is in.
// https://docs.kernel.org/filesystems/proc.html#meminfo
func freeMemory(root string) (free uint64, known bool) {
	raw, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, false
	}
	kib, known := numberAfter(raw, "MemAvailable:")
	if !known || kib > math.MaxUint64>>10 {
		return 0, false
	}
	free = kib << 10
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		groups = []byte("0::/\n") // no procfs of our own: what is mounted is ours
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case parts[0] == "0" && parts[1] == "":
			free = min(free, cgroupRoom(root, "sys/fs/cgroup", parts[2], unified))
		case strings.Contains(","+parts[1]+",", ",memory,"):
			free = min(free, cgroupRoom(root, "sys/fs/cgroup/memory", parts[2], legacy))
		}
	}
	return free, true
}

// cgroupFiles are the names that a version of control groups gives to its numbers.
type cgroupFiles struct{ limit, used, idle string }

// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#stat-file
var (
	unified = cgroupFiles{"memory.max", "memory.current", "inactive_file"}
	legacy  = cgroupFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
)

// cgroupRoom is what is left in a control group and those above it. In a container
// the path may be that of the machine, whose folders are not to be seen: then
// the top is the container's own.
func cgroupRoom(root, mount, group string, names cgroupFiles) uint64 {
	room := uint64(math.MaxUint64)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		dir := filepath.Join(root, mount, filepath.FromSlash(group))
		limit, limited := readNumber(filepath.Join(dir, names.limit))
		used, known := readNumber(filepath.Join(dir, names.used))
		if limited && known {
			// Files that were read and may be forgotten count as used.
			if stat, err := os.ReadFile(filepath.Join(dir, "memory.stat")); err == nil {
				idle, _ := numberAfter(stat, names.idle)
				used -= min(used, idle)
			}
			room = min(room, limit-min(used, limit))
		}
		if group == "/" {
			return room
		}
	}
}

// numberAfter is the number in the line of a name.
func numberAfter(text []byte, name string) (uint64, bool) {
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == name {
			n, err := strconv.ParseUint(fields[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// readNumber is false for what is no number, such as the "max" of a group without a
// limit.
func readNumber(path string) (uint64, bool) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	return n, err == nil
}
