package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestBench measures the binary against bare terraform, and against itself, in
// one run: times as ratios, since machines differ. It prints one table and
// fails where a limit is exceeded. It takes some minutes and is disturbed by
// other work on the machine, so it runs by itself, in `make bench`.
func TestBench(t *testing.T) {
	if os.Getenv("METAPIPE_BENCH") == "" {
		t.Skip("runs by itself, in `make bench`")
	}
	b := newBench(t)
	t.Cleanup(func() { t.Log("\n" + b.table()) })
	for _, part := range []struct {
		name string
		run  func(*bench, *testing.T)
	}{
		{"binary", (*bench).binary},
		{"start-up", (*bench).startUp},
		{"plan", (*bench).plan},
		{"playbook", (*bench).playbook},
		{"manifests", (*bench).manifests},
		{"program", (*bench).program},
		{"change set", (*bench).changeSet},
		{"rendering", (*bench).rendering},
		{"rehearsal", (*bench).rehearsal},
		{"request", (*bench).request},
		{"bucket", (*bench).bucket},
		{"fleet", (*bench).fleet},
		{"status", (*bench).status},
		{"history", (*bench).history},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(b, t) })
	}
}

// row is one measured thing. More than limit fails; more than aim is only told.
type row struct {
	name                 string
	measured, aim, limit float64 // without a limit the row is there to be read
	unit                 string
}

func (r row) bounded() bool { return r.limit > 0 || r.aim > 0 || r.unit == "must be 0" }

func (r row) verdict() string {
	switch {
	case !r.bounded():
		return ""
	case r.measured > r.limit:
		return "NO"
	case r.measured > r.aim:
		return "above the aim"
	}
	return "yes"
}

func (r row) number(n float64) string {
	switch r.unit {
	case "×":
		return fmt.Sprintf("%.2f ×", n)
	case "calls", "processes", "must be 0":
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.1f %s", n, r.unit)
}

// bench is what the parts share.
type bench struct {
	dir      string // for everything that is made
	metapipe string // stripped, as it is released
	tool     string // terraform
	env      []string
	rows     []row
}

// newBench builds the binary as it is released and gives it a home of its own:
// both sides of a comparison get the same environment.
func newBench(t *testing.T) *bench {
	t.Helper()
	tool, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatalf("there is no terraform to compare with: %v", err)
	}
	dir, err := os.MkdirTemp("", "metapipe-bench-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	b := &bench{dir: dir, tool: tool, metapipe: filepath.Join(dir, "bin", "metapipe")}
	b.env = []string{
		"PATH=" + filepath.Dir(tool) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + filepath.Join(dir, "home"), "XDG_CACHE_HOME=" + filepath.Join(dir, "cache"),
		"TMPDIR=" + filepath.Join(dir, "tmp"), "CHECKPOINT_DISABLE=1",
	}
	for _, made := range []string{"home", "cache", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, made), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	goBuild(t, b.metapipe, fixture.ModulePath+"/cmd/metapipe")
	return b
}

// goBuild builds the package at path as the Makefile does.
func goBuild(t *testing.T, out, path string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, path)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", path, err, output)
	}
}

// add notes a measurement and fails the part where it is above its limit.
func (b *bench) add(t *testing.T, r row) {
	t.Helper()
	b.rows = append(b.rows, r)
	if r.verdict() == "NO" {
		t.Errorf("%s: %s, and the limit is %s", r.name, r.number(r.measured), r.number(r.limit))
	}
}

func (b *bench) table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 4, 3, ' ', 0)
	fmt.Fprintln(w, "name\tmeasured\taim\tlimit\tok")
	for _, r := range b.rows {
		aim, limit := "", ""
		if r.bounded() {
			aim, limit = r.number(r.aim), r.number(r.limit)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.name, r.number(r.measured), aim, limit, r.verdict())
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return out.String()
}

// run runs a program to its end and returns the wall time. Its standard output
// goes to out, or nowhere.
func (b *bench) run(t *testing.T, dir string, out *os.File, name string, args ...string) time.Duration {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, b.env
	if out != nil {
		cmd.Stdout = out
	}
	complaints, err := os.Create(filepath.Join(b.dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer complaints.Close()
	cmd.Stderr = complaints
	began := time.Now()
	if err := cmd.Run(); err != nil {
		output, readErr := os.ReadFile(complaints.Name())
		t.Fatalf("%s %s: %v\n%s%v", name, strings.Join(args, " "), err, output, readErr)
	}
	return time.Since(began)
}

// versus runs ours and theirs in turns, n times after a warm-up, and returns the
// median of the ratios of neighbors. The turns begin with either side, so that
// neither gains from what the other leaves warm.
func versus(n int, ours, theirs func() time.Duration) (ratio float64, own, other time.Duration) {
	ours()
	theirs()
	ratios := make([]float64, n)
	a, b := make([]time.Duration, n), make([]time.Duration, n)
	for i := range n {
		if i%2 == 0 {
			a[i] = ours()
			b[i] = theirs()
		} else {
			b[i] = theirs()
			a[i] = ours()
		}
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return median(ratios), median(a), median(b)
}

func median[T float64 | time.Duration](of []T) T {
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// binary measures what is downloaded.
func (b *bench) binary(t *testing.T) {
	info, err := os.Stat(b.metapipe)
	if err != nil {
		t.Fatal(err)
	}
	b.add(t, row{name: "binary, stripped", measured: float64(info.Size()) / 1e6, aim: 40, limit: 45, unit: "MB"})
}

// startUp compares the least that both can do, in processor time: the wall time of
// so short a process is that of everything else on the machine.
func (b *bench) startUp(t *testing.T) {
	version := func(name string) time.Duration {
		cmd := exec.Command(name, "version")
		cmd.Dir, cmd.Env = b.dir, b.env
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s version: %v\n%s", name, err, output)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	ratio, own, other := versus(101,
		func() time.Duration { return version(b.metapipe) },
		func() time.Duration { return version(b.tool) },
	)
	b.add(t, row{name: "start-up: metapipe version / terraform version", measured: ratio, aim: 1.0 / 5, limit: 0.30, unit: "×"})
	b.add(t, row{name: "  metapipe version", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  terraform version", measured: milliseconds(other), unit: "ms"})
}
