// Package hubrun puts a workflow run of the hub before the runner: its event and its contexts, the tokens of its jobs,
// and metapipe's own action.
package hubrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/text"
)

// Run is a workflow run of a repository on the hub.
type Run struct {
	Hub     *hub.Server
	Repo    *hub.Repo
	Record  hub.Run         // what the hub keeps of it
	Payload json.RawMessage // the event file
	// SHA and Ref are GITHUB_SHA and GITHUB_REF: on a pull request those of its
	// test merge. Head and Base are its branches.
	SHA, Ref, Head, Base string
	// ReadOnly leaves the tokens of jobs nothing to write, NoIDTokens leaves the jobs without ID tokens: GitHub does
	// both to runs of forks.
	ReadOnly, NoIDTokens bool

	mu   sync.Mutex
	jobs map[string]opened // by path
}

// opened is what a job has while it runs.
type opened struct{ token, bearer string }

// RefName is GITHUB_REF_NAME.
func (r *Run) RefName() string {
	for _, prefix := range []string{"refs/heads/", "refs/pull/"} {
		if name, ok := strings.CutPrefix(r.Ref, prefix); ok {
			return name
		}
	}
	return r.Ref
}

// Event is what happened, as the filters of workflows see it. inputs are those of a run by hand, instead of those in
// the event file; nil for none.
func (r *Run) Event(inputs map[string]any) (runner.Event, error) {
	e := runner.Event{Name: r.Record.Event, Branch: r.Base}
	if err := json.Unmarshal(r.Payload, &e.Payload); err != nil {
		return e, fmt.Errorf("read the event of run %d: %w", r.Record.Number, err)
	}
	if len(inputs) > 0 {
		e.Payload["inputs"] = inputs
	}
	e.Type, _ = e.Payload["action"].(string) // events without an activity have none
	if e.Name == "push" {
		e.Branch, e.Paths = r.RefName(), pushedPaths(r.Payload)
	}
	return e, nil
}

// pushedPaths are the files that the commits of a push change.
func pushedPaths(event json.RawMessage) (paths []string) {
	var push struct {
		Commits []struct{ Added, Modified, Removed []string }
	}
	if err := json.Unmarshal(event, &push); err != nil {
		return nil // not known, which passes all filters
	}
	for _, c := range push.Commits {
		paths = append(append(append(paths, c.Added...), c.Modified...), c.Removed...)
	}
	return paths
}

// GitHub is the context github of a workflow, but for what differs from job to job.
func (r *Run) GitHub(w *runner.Workflow) map[string]any {
	run, slug, server := r.Record, r.Repo.Slug(), r.Hub.URL()
	owner, _, _ := strings.Cut(slug, "/")
	return map[string]any{
		"repository": slug, "repository_id": strconv.FormatInt(r.Repo.ID(), 10), "repository_owner": owner, "sha": r.SHA, "ref": r.Ref, "ref_name": r.RefName(), "ref_type": "branch",
		"head_ref": r.Head, "base_ref": r.Base, "run_id": strconv.FormatInt(run.ID, 10), "run_attempt": strconv.Itoa(run.Attempt), "run_number": strconv.Itoa(run.Number),
		"workflow": w.Title(), "workflow_ref": slug + "/" + run.Path + "@" + r.Ref, "workflow_sha": r.SHA, "actor": run.Actor, "actor_id": strconv.FormatInt(r.Hub.AccountID(run.Actor), 10),
		"triggering_actor": run.TriggeringActor, "server_url": server, "api_url": server, "graphql_url": server + "/graphql",
	}
}

// Open starts a job with a token of its permissions, and returns that token as well.
func (r *Run) Open(j *runner.Job) (runner.Grant, hub.Token, error) {
	permissions := map[string]string{}
	for scope, level := range j.Permissions {
		if r.ReadOnly {
			level = "read"
		}
		if scope != "id-token" {
			permissions[strings.ReplaceAll(scope, "-", "_")] = level
		}
	}
	slug := r.Repo.Slug()
	token, err := r.Hub.AddToken(hub.Token{Kind: hub.Actions, Repositories: []string{slug}, Permissions: permissions,
		Name: fmt.Sprintf("GITHUB_TOKEN of %s run %d, attempt %d, job %s", slug, r.Record.ID, r.Record.Attempt, j.Path)})
	if err != nil {
		return runner.Grant{}, token, err
	}
	g := runner.Grant{Token: token.Secret}
	if j.Permissions["id-token"] == "write" && !r.NoIDTokens {
		job := hub.IDTokenJob{Repo: r.Repo, RunID: r.Record.ID, Job: j.ID, Ref: r.Ref, SHA: r.SHA, HeadRef: r.Head, BaseRef: r.Base, Environment: j.Environment}
		if j.File != r.Record.Path {
			job.JobWorkflowRef = slug + "/" + j.File + "@" + r.Ref
		}
		if g.IDTokenURL, g.IDTokenBearer, err = r.Hub.OpenJob(job); err != nil {
			return runner.Grant{}, token, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs == nil {
		r.jobs = map[string]opened{}
	}
	r.jobs[j.Path] = opened{token.Name, g.IDTokenBearer}
	return g, token, nil
}

// Close ends a job that was opened: what it was given is worth nothing any more, as on GitHub.
func (r *Run) Close(j *runner.Job) error {
	r.mu.Lock()
	had := r.jobs[j.Path]
	r.mu.Unlock()
	r.Hub.RevokeToken(had.token)
	if had.bearer != "" {
		r.Hub.CloseJob(had.bearer)
	}
	return r.Repo.LeaveEnvironment(r.Record.ID, j.Path, j.Result == runner.Success)
}

// Checkout takes the repository of the run; its jobs reach no other one.
func (r *Run) Checkout(repository, ref, dir string) error {
	if !strings.EqualFold(repository, r.Repo.Slug()) {
		return fmt.Errorf("the repository %s is not the one of this run, %s", repository, r.Repo.Slug())
	}
	return r.Repo.Checkout(ref, dir)
}

var releaseVersion = text.Pattern(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// Actions is metapipe's own action, as action.yml has it, for Run.Actions of the runner: it prepares the job, and
// puts the directory that place returns into PATH; an empty one is left out.
func Actions(place func(c *runner.Call) (dir string, err error)) map[string]runner.Action {
	return map[string]runner.Action{"metapipe/metapipe": func(ctx context.Context, c *runner.Call) error {
		if v := c.Inputs["version"]; v != "" && !releaseVersion().MatchString(v) { // .ci/action/install says the same
			return c.Fail("the input version is %q, and must be a release such as v0.1.0", v)
		}
		if c.Inputs["checkout"] == "true" {
			if err := runner.Checkout(ctx, c); err != nil {
				return err
			}
		}
		dir, err := place(c)
		if dir != "" {
			c.AddPath(dir)
		}
		if c.Inputs["aws-region"] != "" {
			err = errors.Join(err, runner.AWSCredentials(ctx, c))
		}
		return err
	}}
}
