package bench

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// fleetRoot is what a manager's root is like in small: a provider, the customer's
// file and some resources.
const fleetRoot = `
terraform {
  required_providers { local = { source = "hashicorp/local" } }
}
variable "environment" { type = string }
locals { config = yamldecode(file("${path.module}/source-variables.yml")) }
resource "local_file" "file" {
  filename = "${local.config.dir}/${local.config.name}-${var.environment}"
  content  = "same"
}
resource "terraform_data" "some" {
  count = 10
  input = "${local_file.file.content}-${count.index}"
}
`

// quietFleet is a number of targets that are all as they should be.
type quietFleet struct {
	customers            int
	dir, manager, states string
	config               string // of the tool: a warm mirror and nothing else
	targets              []string
	hub                  *hub.Server
	token                string
	ownCPU, bareCPU      time.Duration // of the last run
}

// fleet compares a scan with the same commands in xargs, which knows neither what
// customers want nor what to call a difference. METAPIPE_BENCH_FLEET is the number
// of customers, with two environments each.
func (b *bench) fleet(t *testing.T) {
	f := b.makeFleet(t)
	b.scanFleet(t, f, 1) // warms what both sides read
	own, calls, peak := b.scanFleet(t, f, f.customers)
	both := b.bareFleet(t, f, 2)
	t.Logf("processor time: %s in drift, %s in xargs", f.ownCPU, f.bareCPU)
	targets := float64(len(f.targets))
	b.add(t, row{name: fmt.Sprintf("drift of %d targets / xargs -P2 over init and plan", len(f.targets)), measured: float64(own) / float64(both), aim: 0.95, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe drift --workers 2, per target", measured: milliseconds(own) / targets, unit: "ms"})
	b.add(t, row{name: "  by hand, two at once, per target", measured: milliseconds(both) / targets, unit: "ms"})
	if len(f.targets) <= 100 {
		b.add(t, row{name: "  drift / by hand, one after the other", measured: float64(own) / float64(b.bareFleet(t, f, 1)), unit: "×"})
	}
	b.add(t, row{name: "  GitHub calls for each customer, never applied", measured: float64(calls) / float64(f.customers), aim: 2, limit: 2, unit: "calls"})
	if peak > 0 {
		_, _, small := b.scanFleet(t, f, max(f.customers/5, 1))
		b.add(t, row{name: "  own peak memory of it", measured: peak, aim: 80, limit: 120, unit: "MB"})
		b.add(t, row{name: "  / peak memory of a fifth of the targets", measured: peak / small, aim: 1.25, limit: 1.5, unit: "×"})
	}
}

func (b *bench) makeFleet(t *testing.T) *quietFleet {
	t.Helper()
	f := &quietFleet{customers: 10, dir: filepath.Join(b.dir, "fleet")}
	if n, err := strconv.Atoi(os.Getenv("METAPIPE_BENCH_FLEET")); err == nil && n > 0 {
		f.customers = n
	}
	f.manager, f.states = filepath.Join(f.dir, "manager"), filepath.Join(f.dir, "states")
	for _, dir := range []string{"manager/customers", "manager/terraform", "states", "files", "template"} {
		if err := os.MkdirAll(filepath.Join(f.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.config = b.fleetMirror(t, f.dir)
	writeFile(t, filepath.Join(f.manager, "metapipe.yml"), "environments:\n  - {name: staging}\n  - {name: production, gated: true}\n")
	writeFile(t, filepath.Join(f.manager, "terraform", "main.tf"), fleetRoot)
	b.lockFleet(t, f)
	f.hub = hub.New(hub.Options{})
	if err := f.hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.hub.Close(); err != nil {
			t.Error(err)
		}
	})
	state := b.templateState(t, f)
	for _, login := range []string{"acme", "bot"} {
		if _, err := f.hub.AddUser(hub.User{Login: login, Type: hub.Person}); err != nil {
			t.Fatal(err)
		}
	}
	var slugs []string
	for i := range f.customers {
		slugs = append(slugs, f.customer(t, i, state))
	}
	token, err := f.hub.AddToken(hub.Token{Name: "source", Kind: hub.FineGrained, User: "bot", Repositories: slugs, Permissions: map[string]string{"contents": "read", "metadata": "read"}})
	if err != nil {
		t.Fatal(err)
	}
	f.token = token.Secret
	return f
}

// customer registers a customer whose two targets were applied.
func (f *quietFleet) customer(t *testing.T, i int, state string) string {
	t.Helper()
	name := fmt.Sprintf("c%04d", i)
	repo, err := f.hub.AddRepo("acme", name, hub.RepoOptions{ID: int64(1000 + i), Private: true})
	if err == nil {
		err = repo.Grant("bot", hub.Write)
	}
	if err == nil {
		_, err = repo.Commit("main", hub.Change{Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(f.variables(name))}}, Message: "Start"})
	}
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(f.manager, "customers", name+".yml"), fmt.Sprintf("repository: acme/%s\nrepository_id: %d\n", name, 1000+i))
	for _, env := range []string{"staging", "production"} {
		target := filepath.Join(f.states, name, env)
		if err := os.MkdirAll(target, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(target, "terraform.tfstate"), strings.ReplaceAll(state, "template-staging", name+"-"+env))
		file := filepath.Join(f.dir, "files", name+"-"+env)
		writeFile(t, file, "same")
		if err := os.Chmod(file, 0o777); err != nil {
			t.Fatal(err)
		}
		f.targets = append(f.targets, name+"/"+env)
	}
	return "acme/" + name
}

func (f *quietFleet) variables(name string) string {
	return fmt.Sprintf("name: %s\ndir: %q\nenvironments:\n  staging: {}\n  production: {}\n", name, filepath.Join(f.dir, "files"))
}

// fleetMirror lays the provider out for a filesystem mirror.
func (b *bench) fleetMirror(t *testing.T, dir string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "metapipe", "tools", "terraform-provider-local-*", "terraform-provider-local"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no provider local here (%v): run `make tools`", err)
	}
	at := filepath.Join(dir, "mirror", "registry.terraform."+"io", "hashicorp", "local", "9.0.0", runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(found[len(found)-1], filepath.Join(at, "terraform-provider-local_v9.0.0")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "cli.tfrc")
	writeFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\n", filepath.Join(dir, "mirror")))
	return config
}

// in runs a shell command with the fleet's mirror.
func (b *bench) in(t *testing.T, f *quietFleet, dir, command string) time.Duration {
	t.Helper()
	with := *b
	with.env = append(append([]string(nil), b.env...), "TF_CLI_CONFIG_FILE="+f.config, "TF_IN_AUTOMATION=1")
	return with.run(t, dir, nil, "sh", "-c", command)
}

// inFleet runs a shell command beside the targets and notes its processor time.
func (b *bench) inFleet(t *testing.T, f *quietFleet, command string) time.Duration {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = f.dir, append(append([]string(nil), b.env...), "TF_CLI_CONFIG_FILE="+f.config, "TF_IN_AUTOMATION=1")
	began := time.Now()
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	f.bareCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return time.Since(began)
}

// lockFleet gives the root the lock file that a manager commits.
func (b *bench) lockFleet(t *testing.T, f *quietFleet) {
	t.Helper()
	root := filepath.Join(f.manager, "terraform")
	writeFile(t, filepath.Join(root, "source-variables.yml"), f.variables("template"))
	b.in(t, f, root, "terraform init -input=false -backend=false && rm -rf .terraform source-variables.yml")
}

// templateState is the state of a target that the tool applied.
func (b *bench) templateState(t *testing.T, f *quietFleet) string {
	t.Helper()
	root := filepath.Join(f.dir, "template")
	copyFolder(t, filepath.Join(f.manager, "terraform"), root)
	writeFile(t, filepath.Join(root, "source-variables.yml"), f.variables("template"))
	b.in(t, f, root, "terraform init -input=false && terraform apply -input=false -auto-approve -var=environment=staging")
	state, err := os.ReadFile(filepath.Join(root, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

// bareFleet runs what someone would type, in directories made before the clock
// starts.
func (b *bench) bareFleet(t *testing.T, f *quietFleet, workers int) time.Duration {
	t.Helper()
	dir := filepath.Join(f.dir, "bare")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, target := range f.targets {
		name, env, _ := strings.Cut(target, "/")
		root := filepath.Join(dir, name, env)
		copyFolder(t, filepath.Join(f.manager, "terraform"), root)
		writeFile(t, filepath.Join(root, "source-variables.yml"), f.variables(name))
		writeFile(t, filepath.Join(root, "backend.tf"), fmt.Sprintf("terraform {\n  backend \"local\" { path = %q }\n}\n", filepath.Join(f.states, name, env, "terraform.tfstate")))
		fmt.Fprintln(&list, root+" "+env)
	}
	writeFile(t, filepath.Join(f.dir, "list"), list.String())
	return b.inFleet(t, f, fmt.Sprintf(`xargs -P%d -L1 sh -c 'cd "$0" && terraform init -input=false >/dev/null && terraform plan -input=false -lock=false -detailed-exitcode -var=environment=$1 >/dev/null' < list`, workers))
}

// scanFleet scans the targets of the first customers and returns the wall time, the
// number of calls to GitHub and the most memory of the process itself in MB, 0
// where that is not known.
func (b *bench) scanFleet(t *testing.T, f *quietFleet, customers int) (wall time.Duration, calls int, peak float64) {
	t.Helper()
	args := []string{"drift", "--manager-dir", f.manager, "--store", f.states, "--workers", "2", "--json"}
	if customers < f.customers {
		for i := range customers {
			args = append(args, "--customer", fmt.Sprintf("c%04d", i))
		}
	}
	cmd := exec.Command(b.metapipe, args...)
	cmd.Env = append(append([]string(nil), b.env...), "TF_CLI_CONFIG_FILE="+f.config, "GITHUB_API_URL="+f.hub.URL(), "SOURCE_REPOS_PAT="+f.token,
		"METAPIPE_KEY="+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	var output strings.Builder
	cmd.Stderr = &output
	f.hub.ResetCalls()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case err := <-ended:
			tick.Stop()
			if err != nil {
				t.Fatalf("%v: %v\n%s", args, err, output.String())
			}
			f.ownCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return time.Since(began), len(f.hub.Calls()), peak
		case <-tick.C:
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)); err == nil && strings.Contains(string(status), "VmHWM:") {
				peak = max(peak, highWaterMark(t, status))
			}
		}
	}
}
