package terraform

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	encryptedState = `{"serial":3,"lineage":"l","meta":{"key_provider.pbkdf2.k":"e30="},"encrypted_data":"AAAA","encryption_version":"v0"}`
	newerState     = `{"version":9,"serial":1,"lineage":"l"}`
)

// TestDamagedState refuses to work on content that is not a state, wherever it lies. A
// state that only this tool cannot read fails as before.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	contents := map[string]string{"zero": `{"version":0,"serial":3,"lineage":"l"}`, "negative": `{"version":4,"serial":-1,"lineage":"l","outputs":{},"resources":[]}`,
		"field": `{"version":4,"serial":3,"lineage":"l","outputs":{},"resources":[{"mode":"managed","type":"a","name":"b","instances":7}]}`,
		"half":  `{"version":4,"serial":3,"lineage":"l","resour`, "null": "null", "list": "[]", "blank": " ", "page": "<html>Bad Gateway</html>", "encrypted": encryptedState, "newer": newerState}
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		states := &stateServer{state: map[string]string{}, locks: map[string]string{}}
		server := httptest.NewServer(states)
		t.Cleanup(server.Close)
		for name, content := range contents {
			states.state["/"+name] = content
			local := filepath.Join(t.TempDir(), "terraform.tfstate")
			terraformtest.WriteFile(t, local, content)
			backends := map[string]pipeline.Backend{
				"local": {Type: "local", Config: map[string]string{"path": local}},
				"http":  {Type: "http", Config: map[string]string{"address": server.URL + "/" + name, "lock_address": server.URL + "/" + name, "unlock_address": server.URL + "/" + name}},
			}
			damaged := name != "encrypted" && name != "newer"
			for kind, backend := range backends {
				if damaged && kind == "http" && name == "null" && tool.Name == "terraform" {
					continue // Terraform says the same of an encrypted state: see TestDamagedStateOfStore
				}
				t.Run(kind+" "+name, func(t *testing.T) {
					t.Parallel()
					job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
					job.Backend = backend
					wantDamaged(t, testEngine(t, tool), job, damaged)
				})
			}
		}
	})
}

// wantDamaged plans, looks and reads the state.
func wantDamaged(t *testing.T, engine *Engine, job pipeline.Job, damaged bool) {
	t.Helper()
	looked := again(t, job)
	for command, do := range map[string]func() (pipeline.Planned, error){
		"plan":  func() (pipeline.Planned, error) { return engine.Plan(t.Context(), job) },
		"drift": func() (pipeline.Planned, error) { return engine.NewFleet(t.TempDir()).Plan(t.Context(), looked) },
		"state": func() (pipeline.Planned, error) {
			_, _, err := engine.State(t.Context(), again(t, job))
			return pipeline.Planned{}, err
		},
	} {
		planned, err := do()
		lost := pipeline.AsLost(err)
		if err == nil || (lost != nil) != damaged || damaged && (!lost.Damaged || !strings.Contains(err.Error(), "is damaged: "+job.Backend.String()) || !strings.Contains(err.Error(), "metapipe state restore")) {
			t.Errorf("%s: %v", command, err)
		}
		if damaged && len(planned.Plan.Diagnostics) > 0 {
			t.Errorf("%s: the customer would read %+v", command, planned.Plan.Diagnostics)
		}
	}
}

// TestDamagedStateOfStore asks the store where the words of the tool fit an encrypted
// state, too.
func TestDamagedStateOfStore(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for name, c := range map[string]struct {
			content string
			damaged bool
		}{"null": {"null", true}, "encrypted": {encryptedState, false}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				states := &stateServer{state: map[string]string{"/s": c.content}, locks: map[string]string{}}
				server := httptest.NewServer(states)
				t.Cleanup(server.Close)
				job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
				job.Backend = pipeline.Backend{Type: "http", Config: map[string]string{"address": server.URL + "/s"}}
				open := func(context.Context, pipeline.Job) (io.ReadCloser, error) {
					return io.NopCloser(strings.NewReader(c.content)), nil
				}
				wantDamaged(t, testEngine(t, tool, func(o *Options) { o.OpenState = open }), job, c.damaged)
			})
		}
	})
}

// TestDamagedStateIsUnlocked: a state is restored after its lock is released.
func TestDamagedStateIsUnlocked(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		const id = "5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36"
		states := &stateServer{state: map[string]string{"/s": "[]"}, locks: map[string]string{"/s": `{"ID":"` + id + `","Operation":"OperationTypeApply","Who":"a@b","Version":"1.9.0","Created":"2026-01-02T03:04:05Z"}`}}
		server := httptest.NewServer(states)
		t.Cleanup(server.Close)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, nil)
		job.Backend = pipeline.Backend{Type: "http", Config: map[string]string{"address": server.URL + "/s", "lock_address": server.URL + "/s", "unlock_address": server.URL + "/s"}}
		err := testEngine(t, tool).ReleaseLock(t.Context(), job, id)
		states.mutex.Lock() // its handler may still be at its end
		defer states.mutex.Unlock()
		if err != nil || len(states.locks) != 0 {
			t.Errorf("%v, locks %v", err, states.locks)
		}
	})
}

// TestApplyOnADamagedState: the state was fine when the plan was made.
func TestApplyOnADamagedState(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		terraformtest.WriteFile(t, job.Backend.Path(), "[1,")
		applied, err := engine.Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
		if pipeline.AsLost(err) == nil || applied.Started {
			t.Errorf("started %v: %v", applied.Started, err)
		}
		if content, err := os.ReadFile(job.Backend.Path()); err != nil || string(content) != "[1," {
			t.Errorf("the damaged state was changed: %q, %v", content, errors.Join(err))
		}
	})
}
