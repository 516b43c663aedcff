package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFreeMemory(t *testing.T) {
	t.Parallel()
	const machine = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  uint64
		known bool
	}{
		"no Linux":          {nil, 0, false},
		"an odd file":       {map[string]string{"proc/meminfo": "MemAvailable: many kB\n"}, 0, false},
		"the machine alone": {map[string]string{"proc/meminfo": machine}, 8000000 << 10, true},
		"a container": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "2147483648\n", "sys/fs/cgroup/memory.current": "1147483648\n"}, 1000000000, true},
		"files that may be forgotten": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "2147483648\n", "sys/fs/cgroup/memory.current": "2147483648\n", "sys/fs/cgroup/memory.stat": "anon 5\nfile 9\ninactive_file 1000000000\n"}, 1000000000, true},
		"a container without a limit": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "1\n"}, 8000000 << 10, true},
		"a service": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/system.slice/runner.service\n",
			"sys/fs/cgroup/system.slice/runner.service/memory.max": "3000000000\n", "sys/fs/cgroup/system.slice/runner.service/memory.current": "1000000000\n"}, 2000000000, true},
		"its slice is smaller": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/system.slice/runner.service\n",
			"sys/fs/cgroup/system.slice/runner.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/runner.service/memory.current": "5\n",
			"sys/fs/cgroup/system.slice/memory.max": "1000\n", "sys/fs/cgroup/system.slice/memory.current": "400\n"}, 600, true},
		"the first version": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "900000\n", "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100000\n"}, 200000, true},
		"more used than there is": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "1001\n", "sys/fs/cgroup/memory.stat": "inactive_file 0\n"}, 0, true},
		"a path that leads out": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/../../..\n"}, 8000000 << 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for name, content := range test.files {
				file := filepath.Join(root, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if free, known := freeMemory(root); free != test.want || known != test.known {
				t.Errorf("%d %v, want %d %v", free, known, test.want, test.known)
			}
		})
	}
	if defaultWorkers() < 1 {
		t.Error("no worker")
	}
}
