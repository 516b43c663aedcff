package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// deploymentInput is the body of POST …/deployments. AutoMerge defaults to true
// and RequiredContexts to all contexts of the commit.
type deploymentInput struct {
	Ref              string          `json:"ref"`
	Task             string          `json:"task"`
	AutoMerge        *bool           `json:"auto_merge"`
	RequiredContexts *[]string       `json:"required_contexts"`
	Payload          json.RawMessage `json:"payload"`
	Environment      string          `json:"environment"`
	Description      *string         `json:"description"`
	Transient        bool            `json:"transient_environment"`
	Production       *bool           `json:"production_environment"`
}

// postDeployment is POST …/deployments.
func postDeployment(c *call) reply {
	var in deploymentInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if refusal, good := in.check(); !good {
		return refusal
	}
	commit := c.repo.resolve(in.Ref)
	if commit == nil {
		return problem(422, "No ref found for: "+in.Ref)
	}
	if in.AutoMerge == nil || *in.AutoMerge {
		if rep, merged := c.autoMerge(in.Ref, commit); merged {
			return rep
		}
	}
	if rep, good := c.repo.checkContexts(in, commit.SHA); !good {
		return rep
	}
	d := c.repo.deploy(in, commit.SHA, c.token.User)
	v := c.repo.viewDeployment(d)
	return created(v, fmt.Sprint(v["url"]))
}

func (in *deploymentInput) check() (reply, bool) {
	switch {
	case in.Ref == "":
		return invalid(fieldError{Resource: "Deployment", Code: "missing_field", Field: "ref"}), false
	case utf8.RuneCountInString(text(in.Description)) > maxStatusDescription:
		return invalid(custom("Deployment", "description", "description is too long (maximum is 140 characters)")), false
	case utf8.RuneCountInString(in.Environment) > 255:
		return invalid(custom("Deployment", "environment", "environment is too long (maximum is 255 characters)")), false
	}
	trimmed := strings.TrimSpace(string(in.Payload))
	if trimmed != "" && trimmed != "null" && trimmed[0] != '{' && trimmed[0] != '"' {
		return invalid(fieldError{Resource: "Deployment", Code: "invalid", Field: "payload"}), false
	}
	if trimmed == "" || trimmed == "null" {
		in.Payload = json.RawMessage("{}")
	}
	if in.Task == "" {
		in.Task = "deploy"
	}
	if in.Environment == "" {
		in.Environment = "production"
	}
	return reply{}, true
}

// autoMerge brings the default branch into a topic branch that is behind, and
// then makes no deployment: 202, or 409 when it cannot.
func (c *call) autoMerge(ref string, commit *Commit) (reply, bool) {
	r := c.repo
	top := r.refs["refs/heads/"+r.defaultBranch]
	if top == "" || len(r.git.Between(commit.SHA, top)) == 0 {
		return reply{}, false
	}
	branch := "refs/heads/" + strings.TrimPrefix(ref, "refs/heads/")
	tree, err := r.git.MergeCommits(commit.SHA, top)
	if err != nil || r.refs[branch] == "" {
		return problem(409, fmt.Sprintf("Conflict merging %s into %s", r.defaultBranch, ref)), true
	}
	sig, err := r.signature(c.token.User, time.Time{})
	if err != nil {
		return problem(409, err.Error()), true
	}
	message := fmt.Sprintf("Merge branch '%s' into %s", r.defaultBranch, ref)
	r.setRef(branch, r.git.PutCommit(Commit{Tree: tree, Parents: []string{commit.SHA, top}, Author: sig, Committer: sig, Message: message}))
	return reply{status: 202, body: object{"message": fmt.Sprintf("Auto-merged %s into %s on deployment.", r.defaultBranch, ref)}}, true
}

// checkContexts refuses while a required status is missing or not a success.
func (r *Repo) checkContexts(in deploymentInput, sha string) (reply, bool) {
	latest := r.latestStatuses(sha)
	var required []string
	if in.RequiredContexts != nil {
		required = *in.RequiredContexts
	} else {
		for _, st := range latest {
			required = append(required, st.context)
		}
	}
	var failing []object
	for _, name := range required {
		state := "pending"
		for _, st := range latest {
			if strings.EqualFold(st.context, name) {
				state = st.state
			}
		}
		if state != "success" {
			failing = append(failing, object{"context": name, "state": state})
		}
	}
	if len(failing) == 0 {
		return reply{}, true
	}
	rep := problem(409, "Conflict: Commit status checks failed for "+in.Ref+".")
	if body, isObject := rep.body.(object); isObject {
		body["errors"] = []object{{"contexts": failing, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}}
	}
	return rep, false
}

// deploy records a deployment; an environment that does not exist is made
// without any rule.
func (r *Repo) deploy(in deploymentInput, sha, creator string) *deployment {
	now := r.s.clock()
	d := &deployment{
		id: r.s.id("deployment"), sha: sha, ref: in.Ref, task: in.Task, env: r.environment(in.Environment).name,
		description: text(in.Description), creator: creator, payload: in.Payload, transient: in.Transient,
		production: strings.EqualFold(in.Environment, "production"), created: now, updated: now,
	}
	if in.Production != nil {
		d.production = *in.Production
	}
	r.deployments = append(r.deployments, d)
	return d
}

func (r *Repo) viewDeployment(d *deployment) object {
	self := fmt.Sprintf("%s/deployments/%d", r.api(), d.id)
	return object{
		"id": d.id, "node_id": nodeID("DE", d.id), "url": self, "sha": d.sha, "ref": d.ref, "task": d.task, "payload": d.payload,
		"environment": d.env, "original_environment": d.env, "description": orNull(d.description),
		"creator":    r.s.viewUser(r.s.users[strings.ToLower(d.creator)]),
		"created_at": stamp(d.created), "updated_at": stamp(d.updated), "statuses_url": self + "/statuses", "repository_url": r.api(),
		"transient_environment": d.transient, "production_environment": d.production,
	}
}

// listDeployments is GET …/deployments, the newest first, with sha, ref, task
// and environment.
func listDeployments(c *call) reply {
	q := c.r.URL.Query()
	differs := func(name, value string) bool {
		return q.Get(name) != "" && q.Get(name) != "none" && q.Get(name) != value
	}
	out := []object{}
	for _, d := range slices.Backward(c.repo.deployments) {
		if differs("sha", d.sha) || differs("ref", d.ref) || differs("task", d.task) || differs("environment", d.env) {
			continue
		}
		out = append(out, c.repo.viewDeployment(d))
	}
	return ok(page(c, out))
}

func (c *call) deployment() *deployment {
	for _, d := range c.repo.deployments {
		if fmt.Sprint(d.id) == c.params["deployment_id"] {
			return d
		}
	}
	return nil
}

// getDeployment is GET …/deployments/{deployment_id}.
func getDeployment(c *call) reply {
	if d := c.deployment(); d != nil {
		return ok(c.repo.viewDeployment(d))
	}
	return notFound()
}
