package hub

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

var deploymentStates = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

// postDeploymentStatus is POST …/deployments/{deployment_id}/statuses.
func postDeploymentStatus(c *call) reply {
	d := c.deployment()
	if d == nil {
		return notFound()
	}
	var in struct {
		State          string `json:"state"`
		TargetURL      string `json:"target_url"`
		LogURL         string `json:"log_url"`
		Description    string `json:"description"`
		Environment    string `json:"environment"`
		EnvironmentURL string `json:"environment_url"`
		AutoInactive   *bool  `json:"auto_inactive"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if in.LogURL == "" {
		in.LogURL = in.TargetURL
	}
	var errs []fieldError
	if !slices.Contains(deploymentStates, in.State) {
		errs = append(errs, custom("DeploymentStatus", "state", "state is not included in the list"))
	}
	if utf8.RuneCountInString(in.Description) > maxStatusDescription {
		errs = append(errs, custom("DeploymentStatus", "description", "description is too long (maximum is 140 characters)"))
	}
	for field, link := range map[string]string{"log_url": in.LogURL, "environment_url": in.EnvironmentURL} {
		if link != "" && !webURL(link) {
			errs = append(errs, custom("DeploymentStatus", field, field+" must use http(s) scheme"))
		}
	}
	if len(errs) > 0 {
		return invalid(errs...)
	}
	if in.Environment != "" {
		d.env = c.repo.environment(in.Environment).name
	}
	st := c.repo.deploymentStatus(d, in.State, in.Description, c.token.User)
	st.logURL, st.environmentURL = in.LogURL, in.EnvironmentURL
	if in.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		c.repo.retire(d, c.token.User)
	}
	v := c.repo.viewDeploymentStatus(d, st)
	return created(v, fmt.Sprint(v["url"]))
}

func (r *Repo) deploymentStatus(d *deployment, state, description, creator string) *deploymentStatus {
	st := &deploymentStatus{
		id: r.s.id("deployment-status"), state: state, description: description, creator: creator, env: d.env, at: r.s.clock(),
	}
	d.statuses = append(d.statuses, st)
	d.updated = st.at
	return st
}

// retire is auto_inactive: the earlier successful deployments of the same
// environment become inactive, unless they are transient or of production.
func (r *Repo) retire(by *deployment, creator string) {
	for _, d := range r.deployments {
		if d == by {
			break
		}
		if strings.EqualFold(d.env, by.env) && !d.transient && !d.production && d.state() == "success" {
			r.deploymentStatus(d, "inactive", "", creator)
		}
	}
}

// state is the newest one, or "pending" without any.
func (d *deployment) state() string {
	if len(d.statuses) == 0 {
		return "pending"
	}
	return d.statuses[len(d.statuses)-1].state
}

func (r *Repo) viewDeploymentStatus(d *deployment, st *deploymentStatus) object {
	deployment := fmt.Sprintf("%s/deployments/%d", r.api(), d.id)
	return object{
		"id": st.id, "node_id": nodeID("DES", st.id), "url": fmt.Sprintf("%s/statuses/%d", deployment, st.id), "state": st.state,
		"creator": r.s.viewUser(r.s.users[strings.ToLower(st.creator)]), "description": st.description, "environment": st.env,
		"target_url": st.logURL, "log_url": st.logURL, "environment_url": st.environmentURL,
		"created_at": stamp(st.at), "updated_at": stamp(st.at), "deployment_url": deployment, "repository_url": r.api(),
	}
}

// listDeploymentStatuses is GET …/deployments/{deployment_id}/statuses, the
// newest first.
func listDeploymentStatuses(c *call) reply {
	d := c.deployment()
	if d == nil {
		return notFound()
	}
	out := []object{}
	for _, st := range slices.Backward(d.statuses) {
		out = append(out, c.repo.viewDeploymentStatus(d, st))
	}
	return ok(page(c, out))
}
