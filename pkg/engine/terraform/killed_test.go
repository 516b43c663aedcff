package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// victimVariable names the directory of a job for a process that is to be killed.
const victimVariable = "TEST_VICTIM_DIR"

type victimJob struct {
	Tool, ToolPath, Manager, Run, State, Variables string
}

// victim plans and applies in a process of its own.
func victim(dir string) int {
	var v victimJob
	b, err := os.ReadFile(filepath.Join(dir, "job.json"))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	var node yaml.Node
	if err == nil {
		err = yaml.Unmarshal([]byte(v.Variables), &node)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	job := pipeline.Job{
		Customer:    pipeline.Customer{Name: "acme", Root: "terraform", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: v.Tool}}},
		Environment: "staging",
		Variables:   terraformtest.NewDocument(node.Content[0]),
		ManagerDir:  v.Manager,
		Dir:         v.Run,
		Backend:     terraformtest.LocalBackend(v.State),
	}
	engine := New(Options{Environ: os.Environ(), BinaryPath: v.ToolPath})
	planned, err := engine.Plan(context.Background(), job)
	if err == nil {
		_, err = engine.Apply(context.Background(), job, terraformtest.Stored(planned))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// victimOf is the process that plans and applies a job, to be killed.
func victimOf(t *testing.T, tool terraformtest.Tool, job pipeline.Job) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(victimJob{tool.Name, tool.Path, job.ManagerDir, job.Dir, job.Backend.Path(), terraformtest.DefaultVariables})
	if err != nil {
		t.Fatal(err)
	}
	terraformtest.WriteFile(t, filepath.Join(dir, "job.json"), string(b))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimVariable+"="+dir)
	return cmd
}

// TestStubbornTool makes sure that a tool that ignores SIGINT is killed with
// everything that it started.
func TestStubbornTool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "terraform")
	// The shell reads it: a new file that is executed itself may be busy, while another test starts a process.
	terraformtest.WriteFile(t, script, "trap '' INT\nsleep 300 &\necho $! > "+dir+"/child\nwait\nsleep 300\n")
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for !isFile(filepath.Join(dir, "child")) && ctx.Err() == nil {
			continue
		}
		cancel()
	}()
	p := process.Process{Path: "/bin/sh", Args: []string{script}, Dir: dir, Stdout: out, Stderr: out, WaitDelay: 100_000_000,
		Env: []string{"PATH=" + os.Getenv("PATH")}}
	if err := p.Run(ctx); err == nil || !strings.Contains(err.Error(), "killed by a signal") {
		t.Errorf("got %v", err)
	}
	child, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of what it started", func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}
