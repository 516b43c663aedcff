package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// hangingMirror is a mirror whose provider notes its process and then says nothing.
func hangingMirror(t *testing.T, pids string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	mirror := t.TempDir()
	for home, tld := range map[string]string{"terraform": "io", "opentofu": "org"} {
		dir := filepath.Join(mirror, "registry."+home+"."+tld, "hashicorp", "local", "9.0.0", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("#!/bin/sh\necho $$ >> %q\nexec sleep 600\n", pids)
		if err := os.WriteFile(filepath.Join(dir, "terraform-provider-local_v9.0.0"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(mirror, "cli.tfrc")
	terraformtest.WriteFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\n", mirror))
	return config
}

// TestFleetEndsHangingProviders gives a target whose provider hangs its time and no
// more, and leaves no process of it behind.
func TestFleetEndsHangingProviders(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		pids := filepath.Join(t.TempDir(), "pids")
		config := hangingMirror(t, pids)
		engine := testEngine(t, tool, func(o *Options) {
			o.Environ = append(o.Environ, "TF_CLI_CONFIG_FILE="+config)
			o.WaitDelay = 2 * time.Second
		})
		job := terraformtest.NewJob(t, tool, "name: x\n", map[string]string{"terraform/main.tf": fleetRoot[:strings.Index(fleetRoot, "    random")] + "  }\n}\nresource \"local_file\" \"file\" {\n  filename = \"x\"\n  content = \"x\"\n}\n"})
		job.Customer.Manager.Limits.PlanTimeout = 20 * time.Second
		began := time.Now()
		_, err := engine.newFleet(t.TempDir()).Plan(t.Context(), job)
		var failed *pipeline.FailedError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) || !strings.Contains(failed.Operator, "plan_timeout") {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if spent := time.Since(began); spent > 40*time.Second {
			t.Errorf("it took %s", spent)
		}
		raw, err := os.ReadFile(pids)
		if err != nil {
			t.Fatal("no provider was started: ", err)
		}
		for _, pid := range strings.Fields(string(raw)) {
			end := time.Now().Add(5 * time.Second) // a busy kernel needs a moment to end what was killed
			for runsSleep(pid) && time.Now().Before(end) {
				time.Sleep(20 * time.Millisecond)
			}
			if runsSleep(pid) {
				t.Errorf("provider %s still runs", pid)
			}
		}

	})
}

func runsSleep(pid string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	return err == nil && strings.HasPrefix(string(line), "sleep\x00600")
}

// TestFleetGivesUpOnRegistriesThatHang lets three targets wait for a root that
// cannot be prepared in time, and no more.
func TestFleetGivesUpOnRegistriesThatHang(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	stand := filepath.Join(t.TempDir(), "terraform")
	script := "#!/bin/sh\nif [ \"$1\" = version ]; then echo '{\"terraform_version\":\"1.11.4\"}'; exit; fi\nexec sleep 600\n"
	if err := os.WriteFile(stand, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	tool := terraformtest.Tool{Name: "terraform", Path: stand}
	fleet := testEngine(t, tool, func(o *Options) { o.WaitDelay = time.Second }).newFleet(t.TempDir())
	job := terraformtest.NewJob(t, tool, "name: x\n", map[string]string{"terraform/main.tf": "output \"x\" { value = 1 }\n"})
	look := func(limit time.Duration) (time.Duration, error) {
		job.Customer.Manager.Limits.PlanTimeout = limit
		began := time.Now()
		_, err := fleet.Plan(t.Context(), job)
		return time.Since(began), err
	}
	for range prepareTries {
		if _, err := look(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	var hung *hungError
	if _, err := look(300 * time.Millisecond); !errors.As(err, &hung) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the fourth target: %v", err)
	}
	// One that may take longer gets its own try.
	if spent, err := look(time.Second); errors.As(err, &hung) || spent < time.Second {
		t.Errorf("a target with more time, after %s: %v", spent, err)
	}
}
