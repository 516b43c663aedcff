package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

const (
	planResources = 100
	planPairs     = 14
)

// plan compares the dry run on a laptop with the same commands typed by hand.
func (b *bench) plan(t *testing.T) {
	manager := b.makeManager(t)
	customer, err := filepath.Abs(filepath.Join(fixture.RepoRoot, "examples", "customer"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"plan", "--manager-dir", manager, "--customer-dir", customer, "--environment", "staging"}
	ratio, own, other := versus(planPairs,
		func() time.Duration { return b.run(t, b.dir, nil, b.metapipe, args...) },
		func() time.Duration { return b.byHand(t, manager, customer) },
	)
	b.add(t, row{name: fmt.Sprintf("plan of %d resources / init, plan, show by hand", planResources), measured: ratio, aim: 1.05, limit: 1.15, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
	b.add(t, row{name: "  terraform processes of it", measured: b.processes(t, args), aim: 3, limit: 3, unit: "processes"})
	if peak, known := b.peakMemory(t, args); known {
		b.add(t, row{name: "  own peak memory of it", measured: peak, aim: 50, limit: 60, unit: "MB"})
	}
}

// makeManager is the example's manager with a root of plain resources, which
// reads its variables as the roots of managers do.
func (b *bench) makeManager(t *testing.T) string {
	t.Helper()
	manager := filepath.Join(b.dir, "manager")
	copyFolder(t, filepath.Join(fixture.RepoRoot, "examples", "manager"), manager)
	root := filepath.Join(manager, "terraform")
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	writeFile(t, filepath.Join(root, "variables.tf"), "variable \"environment\" {}\n")
	code.WriteString("locals {\n  config = yamldecode(file(\"${path.module}/source-variables.yml\"))\n}\n")
	for i := range planResources {
		fmt.Fprintf(&code, `
resource "terraform_data" "r%d" {
  input = {
    name   = "${local.config.project_name}-${var.environment}-%d"
    region = local.config.environments[var.environment].region
    tags   = local.config.tags
    ports  = [80, 443, %d]
  }
}
`, i, i, 8000+i)
	}
	writeFile(t, filepath.Join(root, "main.tf"), code.String())
	return manager
}

// byHand is what someone would type in a fresh copy of the root. The copy is
// made before the clock starts, while ours is in our time.
func (b *bench) byHand(t *testing.T, manager, customer string) time.Duration {
	t.Helper()
	dir := filepath.Join(b.dir, "by-hand")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, manager, dir)
	root := filepath.Join(dir, "terraform")
	raw, err := os.ReadFile(filepath.Join(customer, "infra", "variables.yml"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, "source-variables.yml"), string(bytes.ReplaceAll(raw, []byte("{{ environment }}"), []byte("staging"))))
	shown, err := os.Create(filepath.Join(dir, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	began := time.Now()
	b.run(t, root, nil, b.tool, "init", "-input=false")
	b.run(t, root, nil, b.tool, "plan", "-input=false", "-var=environment=staging", "-out=plan.tfplan")
	b.run(t, root, shown, b.tool, "show", "-json", "plan.tfplan")
	return time.Since(began)
}

// processes counts how often a plan starts the tool when the version is known.
func (b *bench) processes(t *testing.T, args []string) float64 {
	t.Helper()
	stand, calls := b.recorder(t)
	recorded := *b
	recorded.env = append(append([]string(nil), b.env...), "METAPIPE_TOOL="+stand)
	for range 2 { // the first run asks for the version
		if err := os.RemoveAll(calls); err != nil {
			t.Fatal(err)
		}
		recorded.run(t, b.dir, nil, b.metapipe, args...)
	}
	log, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a plan starts:\n%s", log)
	return float64(bytes.Count(log, []byte("\n")))
}

// recorder builds what stands in for the tool, and returns its path and the file
// in which it notes a line for each start.
func (b *bench) recorder(t *testing.T) (stand, calls string) {
	t.Helper()
	dir := filepath.Join(b.dir, "recorder")
	stand = filepath.Join(dir, "terraform")
	if _, err := os.Stat(stand); err != nil {
		goBuild(t, stand, "./testdata/recorder")
		writeFile(t, filepath.Join(dir, "real"), b.tool)
	}
	return stand, filepath.Join(dir, "calls")
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
