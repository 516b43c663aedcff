package hub

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is everything that the parties would see, repository by repository
// in the order of their ids. It marshals to JSON.
type Snapshot struct {
	At           time.Time      `json:"at"`
	Repositories []RepoSnapshot `json:"repositories"`
}

// RepoSnapshot is one repository of a Snapshot.
type RepoSnapshot struct {
	Repository   string                     `json:"repository"`
	ID           int64                      `json:"id"`
	Private      bool                       `json:"private"`
	Branches     map[string]string          `json:"branches"`
	Commits      map[string]string          `json:"commits"` // id → first line, of all branches and pull requests
	Pulls        []PullSnapshot             `json:"pull_requests"`
	Issues       []IssueSnapshot            `json:"issues"`
	Statuses     map[string][]StatusRecord  `json:"statuses"` // by commit, oldest first
	Deployments  []DeploymentRecord         `json:"deployments"`
	Environments map[string]EnvironmentInfo `json:"environments"`
	Runs         []Run                      `json:"runs"`
}

// PullSnapshot is a pull request with its conversation.
type PullSnapshot struct {
	PullRequest
	Comments []CommentRecord `json:"comments"`
}

// IssueSnapshot is an issue with its conversation.
type IssueSnapshot struct {
	Number   int             `json:"number"`
	Title    string          `json:"title"`
	Author   string          `json:"author"`
	State    string          `json:"state"`
	Body     string          `json:"body"`
	Labels   []string        `json:"labels"`
	Comments []CommentRecord `json:"comments"`
}

// CommentRecord is one comment as it stands; Edits counts its updates.
type CommentRecord struct {
	ID        int64     `json:"id"`
	Author    string    `json:"author"`
	Body      string    `json:"body"`
	Edits     int       `json:"edits"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// StatusRecord is one commit status.
type StatusRecord struct {
	Context     string    `json:"context"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url,omitempty"`
	Creator     string    `json:"creator"`
	At          time.Time `json:"at"`
}

// DeploymentRecord is one deployment with its states, oldest first.
type DeploymentRecord struct {
	ID          int64                   `json:"id"`
	SHA         string                  `json:"sha"`
	Ref         string                  `json:"ref"`
	Environment string                  `json:"environment"`
	Description string                  `json:"description"`
	Creator     string                  `json:"creator"`
	Payload     json.RawMessage         `json:"payload"`
	RunID       int64                   `json:"run_id,omitempty"` // made by a job of this run
	States      []DeploymentStateRecord `json:"states"`
	CreatedAt   time.Time               `json:"created_at"`
}

// DeploymentStateRecord is one status of a deployment.
type DeploymentStateRecord struct {
	State       string    `json:"state"`
	Description string    `json:"description,omitempty"`
	LogURL      string    `json:"log_url,omitempty"`
	At          time.Time `json:"at"`
}

// EnvironmentInfo is an environment's protection as people see it.
type EnvironmentInfo struct {
	Reviewers []string `json:"reviewers,omitempty"`
	WaitTimer string   `json:"wait_timer,omitempty"`
}

// Snapshot copies the present state.
func (s *Server) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Snapshot{At: s.clock()}
	for _, id := range slices.Sorted(maps.Keys(s.repos)) {
		out.Repositories = append(out.Repositories, s.repos[id].snapshot())
	}
	return out
}

// Snapshot copies the present state of one repository.
func (r *Repo) Snapshot() RepoSnapshot {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.snapshot()
}

func (r *Repo) snapshot() RepoSnapshot {
	out := RepoSnapshot{
		Repository: r.slug(), ID: r.id, Private: r.private, Branches: map[string]string{}, Commits: map[string]string{},
		Statuses: map[string][]StatusRecord{}, Environments: map[string]EnvironmentInfo{},
		Pulls: []PullSnapshot{}, Issues: []IssueSnapshot{}, Deployments: []DeploymentRecord{}, Runs: []Run{},
	}
	for ref, sha := range r.refs {
		if b, isBranch := strings.CutPrefix(ref, "refs/heads/"); isBranch {
			out.Branches[b] = sha
		}
		for _, c := range r.git.Between("", sha) {
			out.Commits[c.SHA], _, _ = strings.Cut(c.Message, "\n")
		}
	}
	for n := 1; n <= r.number; n++ {
		if p := r.pulls[n]; p != nil {
			out.Pulls = append(out.Pulls, PullSnapshot{PullRequest: p.snapshot(), Comments: records(p.comments)})
		}
		if i := r.issues[n]; i != nil {
			out.Issues = append(out.Issues, IssueSnapshot{
				Number: n, Title: i.title, Author: i.author, State: i.state, Body: i.body,
				Labels: append([]string{}, i.labels...), Comments: records(i.comments),
			})
		}
	}
	for sha, list := range r.statuses {
		for _, st := range list {
			out.Statuses[sha] = append(out.Statuses[sha], StatusRecord{
				Context: st.context, State: st.state, Description: st.description, TargetURL: st.link, Creator: st.creator, At: st.at,
			})
		}
	}
	for _, d := range r.deployments {
		out.Deployments = append(out.Deployments, d.record())
	}
	for _, e := range r.environments {
		info := EnvironmentInfo{Reviewers: slices.Clone(e.rules.Reviewers)}
		if e.rules.WaitTimer > 0 {
			info.WaitTimer = e.rules.WaitTimer.String()
		}
		out.Environments[e.name] = info
	}
	for _, x := range r.runs {
		out.Runs = append(out.Runs, x.copy())
	}
	return out
}

func records(cs []*comment) []CommentRecord {
	out := make([]CommentRecord, 0, len(cs))
	for _, m := range cs {
		out = append(out, CommentRecord{ID: m.id, Author: m.author, Body: m.body, Edits: m.edits, CreatedAt: m.created, UpdatedAt: m.updated})
	}
	return out
}

func (d *deployment) record() DeploymentRecord {
	out := DeploymentRecord{
		ID: d.id, SHA: d.sha, Ref: d.ref, Environment: d.env, Description: d.description, Creator: d.creator,
		Payload: slices.Clone(d.payload), RunID: d.runID, CreatedAt: d.created, States: []DeploymentStateRecord{},
	}
	for _, st := range d.statuses {
		out.States = append(out.States, DeploymentStateRecord{State: st.state, Description: st.description, LogURL: st.logURL, At: st.at})
	}
	return out
}
