package terraform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

const stateBucket = "states"

// s3World is a real server, and a door in front of it that can be shut.
type s3World struct {
	server *miniotest.Server
	door   *httptest.Server
	shut   atomic.Bool
	jobs   atomic.Int32
}

func newS3World(t *testing.T) *s3World {
	t.Helper()
	w := &s3World{server: miniotest.Start(t, miniotest.Options{KMS: true})}
	w.server.Bucket(t, stateBucket, true)
	target, err := url.Parse(w.server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // is part of the signature
	}}
	w.door = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.shut.Load() {
			http.Error(rw, "gone", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.door.Close)
	return w
}

func (w *s3World) environ(o *Options) {
	for name, value := range w.server.Environ(w.server.Root()) {
		o.Environ = append(o.Environ, name+"="+value)
	}
	o.Environ = append(o.Environ, "AWS_ENDPOINT_URL_S3="+w.door.URL)
}

func (w *s3World) job(t *testing.T, tool terraformtest.Tool, files map[string]string) pipeline.Job {
	t.Helper()
	job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, files)
	job.Customer.Name = pipeline.CustomerName(fmt.Sprintf("customer-%d", w.jobs.Add(1)))
	state := pipeline.State{Bucket: pipeline.Bucket{Name: stateBucket, Region: w.server.Region, Prefix: "live"}}
	job.Backend = state.Target(job.Target(), "")
	job.Backend.Config["max_retries"] = "1" // no one waits for a server that is shut
	job.Customer.Manager.Limits.ApplyTimeout = 3 * time.Minute
	return job
}

func (w *s3World) has(t *testing.T, key string) bool {
	t.Helper()
	_, err := w.server.Client(w.server.Root()).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(stateBucket), Key: aws.String(key)})
	return err == nil
}

// again is the same target in another run directory.
func again(t *testing.T, job pipeline.Job) pipeline.Job {
	t.Helper()
	job.Dir = filepath.Join(t.TempDir(), "run")
	return job
}

const bareRoot = `
variable "name" { type = string }
resource "terraform_data" "a" { input = var.name }
`

func TestS3(t *testing.T) {
	t.Parallel()
	world := newS3World(t)
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for name, block := range map[string]string{
			"own block":     "terraform {\n  backend \"s3\" {\n    workspace_key_prefix = \"x\"\n  }\n}\n",
			"no block":      "",
			"another block": "terraform {\n  backend \"http\" {\n    address = \"http://127.0.0.1:1/\"\n  }\n}\n",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				engine := testEngine(t, tool, world.environ)
				job := world.job(t, tool, map[string]string{"terraform/main.tf": block + bareRoot})
				first, err := engine.Plan(t.Context(), job)
				if err != nil {
					t.Fatal(err)
				}
				other := again(t, job)
				second, err := engine.Plan(t.Context(), other)
				if err != nil {
					t.Fatal(err)
				}
				if applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(first)); err != nil || len(applied.Done) != 1 {
					t.Fatalf("%+v %v", applied, err)
				}
				key := job.Backend.Config["key"]
				if !world.has(t, key) || world.has(t, key+".tflock") {
					t.Errorf("state %v, lock %v", world.has(t, key), world.has(t, key+".tflock"))
				}
				applied, err := engine.Apply(t.Context(), other, terraformtest.Stored(second))
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState || applied.Started {
					t.Errorf("a stale plan: %v", err)
				}
				third, err := engine.Plan(t.Context(), again(t, job))
				if err != nil || third.Plan.HasChanges() || third.Evidence.State().Serial == 0 {
					t.Errorf("the third plan: %+v %v", third, err)
				}
				version, size, err := engine.State(t.Context(), again(t, job))
				if err != nil || version.StateVersion != third.Evidence.State() || size == 0 {
					t.Errorf("state %+v of %d bytes, want %+v: %v", version, size, third.Evidence.State(), err)
				}
			})
		}
	})
}

// TestS3Lock lets two applies meet at one state: one waits and is refused, since
// the state is another then, and nothing is lost.
func TestS3Lock(t *testing.T) {
	t.Parallel()
	world := newS3World(t)
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool, world.environ)
		dir := t.TempDir()
		started, signal := filepath.Join(dir, "started"), filepath.Join(dir, "go")
		job := world.job(t, tool, map[string]string{"terraform/main.tf": slowRoot(started, signal)})
		job.Customer.Manager.Limits.LockTimeout = time.Minute
		other := again(t, job)
		plans := make([]pipeline.Planned, 2)
		for i, j := range []pipeline.Job{job, other} {
			var err error
			if plans[i], err = engine.Plan(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := engine.Apply(context.WithoutCancel(t.Context()), job, terraformtest.Stored(plans[0]))
			first <- err
		}()
		waitFor(t, "the first apply", func() bool { return isFile(started) })
		impatient := again(t, job)
		impatient.Customer.Manager.Limits.LockTimeout = 0
		_, err := engine.Plan(t.Context(), impatient)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Next, "holds the lock of this state since") {
			t.Errorf("a plan while the state is locked: %v", err)
		}
		go func() {
			_, err := engine.Apply(context.WithoutCancel(t.Context()), other, terraformtest.Stored(plans[1]))
			second <- err
		}()
		select {
		case err := <-second:
			t.Errorf("the second did not wait: %v", err)
		case <-time.After(4 * time.Second):
		}
		terraformtest.WriteFile(t, signal, "")
		if err := <-first; err != nil {
			t.Error(err)
		}
		var refused *pipeline.RefusedError
		if err := <-second; !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState {
			t.Errorf("the second: %v", err)
		}
		last, err := engine.Plan(t.Context(), again(t, job))
		if err != nil || last.Plan.HasChanges() {
			t.Errorf("afterwards: %+v %v", last.Plan.Counts, err)
		}
	})
}

// TestS3Vanishes shuts the door in the middle of an apply.
func TestS3Vanishes(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		world := newS3World(t)
		engine := testEngine(t, tool, world.environ)
		dir := t.TempDir()
		started, signal := filepath.Join(dir, "started"), filepath.Join(dir, "go")
		job := world.job(t, tool, map[string]string{"terraform/main.tf": slowRoot(started, signal)})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		var applied pipeline.Applied
		ended := make(chan error, 1)
		go func() {
			var err error
			applied, err = engine.Apply(context.WithoutCancel(t.Context()), job, terraformtest.Stored(planned))
			ended <- err
		}()
		waitFor(t, "the apply", func() bool { return isFile(started) })
		world.shut.Store(true)
		terraformtest.WriteFile(t, signal, "")
		err = <-ended
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || applied.ErroredState == "" || !strings.Contains(failed.Message, keptText) {
			t.Fatalf("%+v %v", applied, err)
		}
		kept := filepath.Join(t.TempDir(), "kept.tfstate")
		content, err := os.ReadFile(applied.ErroredState)
		if err != nil {
			t.Fatal(err)
		}
		terraformtest.WriteFile(t, kept, string(content))
		world.shut.Store(false)
		// The lock could not be released either, and is not forced.
		key := job.Backend.Config["key"] + ".tflock"
		lost := pipeline.KeptState{File: kept, Planned: planned.Evidence.State()}
		_, err = engine.PushState(t.Context(), again(t, job), lost)
		if !errors.As(err, &failed) || !strings.Contains(failed.Next, "--unlock") {
			t.Fatalf("over a lock: %v", err)
		}
		lost.Unlock = "another"
		if _, err := engine.PushState(t.Context(), again(t, job), lost); err == nil || !world.has(t, key) {
			t.Fatalf("with the id of another lock: %v", err)
		}
		object, err := world.server.Client(world.server.Root()).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(stateBucket), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := pipeline.ParseLock(object.Body)
		if err = errors.Join(err, object.Body.Close()); err != nil {
			t.Fatal(err)
		}
		lost.Unlock = lock.ID
		version, err := engine.PushState(t.Context(), again(t, job), lost)
		if err != nil {
			t.Fatal(err)
		}
		last, err := engine.Plan(t.Context(), again(t, job))
		if err != nil || last.Plan.HasChanges() || last.Evidence.State() != version {
			t.Errorf("afterwards: %+v, state %+v, pushed %+v: %v", last.Plan.Counts, last.Evidence.State(), version, err)
		}
	})
}

func TestS3NeedsANewTool(t *testing.T) {
	t.Parallel()
	tool := terraformtest.Tool{Name: "terraform", Path: terraformtest.FakeBinary(t, filepath.Join(t.TempDir(), "terraform"), "1.9.8")}
	job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
	job.Backend = pipeline.State{Bucket: pipeline.Bucket{Name: stateBucket}}.Target(pipeline.Target{Customer: "acme", Environment: "staging"}, "")
	_, err := testEngine(t, tool).Plan(t.Context(), job)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(fmt.Sprint(err), "state.lock_table") {
		t.Errorf("got %v", err)
	}
}
