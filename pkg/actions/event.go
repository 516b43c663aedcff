package actions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// MaxEvent is the size of the largest event file that is read: GitHub caps
// webhook payloads at 25 MB
// (https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap).
const MaxEvent = 25 << 20

// dependabot is the actor whose runs get no secrets and no ID token.
const dependabot = "dependabot[bot]"

// LoadEvent reads the event file that c names.
func LoadEvent(c Context) (event pipeline.Event, err error) {
	if c.EventPath == "" {
		return pipeline.Event{}, pipeline.Usagef("there is no event file").
			Nextf("run this as a step of a workflow, or name the event file (GITHUB_EVENT_PATH)")
	}
	f, err := os.Open(c.EventPath)
	if err != nil {
		return pipeline.Event{}, pipeline.Usagef("read the event file").Because(err).
			Nextf("run this as a step of a workflow, or name the event file (GITHUB_EVENT_PATH)")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(f, MaxEvent+1))
	if err != nil {
		return pipeline.Event{}, fmt.Errorf("read the event file: %w", err)
	}
	return ReadEvent(c.EventName, raw, c)
}

// ReadEvent parses the payload of the event called name. It takes push,
// pull_request, merge_group, workflow_dispatch, repository_dispatch and
// schedule. From c come the commit and the ref of those events whose payload
// has none, and the actor; a payload about another repository than c's is an
// error.
//
// The head of a pull request is its own newest commit, not the merge commit
// that the run checked out (c.SHA); its number is the payload's, never a part of
// a ref.
func ReadEvent(name string, raw []byte, c Context) (pipeline.Event, error) {
	read, ok := map[string]func(*payload, Context, *pipeline.Event) error{
		"push": readPush, "pull_request": readPullRequest, "merge_group": readMergeGroup,
		"workflow_dispatch": readWorkflowDispatch, "repository_dispatch": readRepositoryDispatch,
		"schedule": readSchedule,
	}[name]
	if !ok {
		return pipeline.Event{}, refuseEvent(name)
	}
	if len(raw) > MaxEvent {
		return pipeline.Event{}, badEvent(name, fmt.Errorf("the payload is larger than %d MiB", MaxEvent>>20))
	}
	var p payload
	if err := pipeline.DecodeExact(raw, &p); err != nil {
		return pipeline.Event{}, badEvent(name, err)
	}
	repo, err := p.Repository.identity(c)
	if err != nil {
		return pipeline.Event{}, badEvent(name, fmt.Errorf("repository: %w", err))
	}
	event := pipeline.Event{Name: name, Repository: repo, Actor: c.Actor}
	if event.Properties, err = pipeline.ParseProperties(p.Repository.CustomProperties); err != nil {
		event.Properties = pipeline.Properties{} // not known
	}
	if event.Actor == "" {
		event.Actor = p.Sender.Login
	}
	event.Dependabot = event.Actor == dependabot || p.Sender.Login == dependabot
	if err := read(&p, c, &event); err != nil {
		return pipeline.Event{}, badEvent(name, err)
	}
	return event, nil
}

// badEvent says that an event file is not what GitHub writes for the event.
func badEvent(name string, err error) error {
	return pipeline.Usagef("read the %s event", name).Because(pipeline.PublicError(err)).
		Nextf("run this as a step of a workflow on GitHub; outside of it, GITHUB_EVENT_PATH must name a whole event file of the event and " +
			"the repository that GITHUB_EVENT_NAME and GITHUB_REPOSITORY name")
}

func refuseEvent(name string) error {
	if name == "pull_request_target" {
		return pipeline.Usagef("the event pull_request_target is refused: it gives the secrets of this repository to code of forks").
			Nextf("use `on: pull_request`")
	}
	return pipeline.Usagef("the event %s is not supported", pipeline.Quote(name)).
		Nextf("use push, pull_request, merge_group, workflow_dispatch, repository_dispatch or schedule")
}

// payload is the part of the payloads that matters here.
type payload struct {
	Repository repository `json:"repository"`
	Sender     account    `json:"sender"`
	Ref        string     `json:"ref"`
	Before     string     `json:"before"`
	After      string     `json:"after"`
	Deleted    bool       `json:"deleted"`
	Action     string     `json:"action"`
	Changes    struct {
		Base json.RawMessage `json:"base"` // of a pull request that was retargeted
	} `json:"changes"`
	Number      int `json:"number"`
	PullRequest *struct {
		Number int    `json:"number"`
		State  string `json:"state"`
		Merged bool   `json:"merged"`
		Head   side   `json:"head"`
		Base   side   `json:"base"`
	} `json:"pull_request"`
	MergeGroup *struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"`
		BaseSHA string `json:"base_sha"`
	} `json:"merge_group"`
	Branch        string                     `json:"branch"`
	ClientPayload json.RawMessage            `json:"client_payload"`
	Inputs        map[string]json.RawMessage `json:"inputs"`
}

type account struct {
	Login string `json:"login"`
}

// side is one end of a pull request. The repository of a deleted fork is null.
type side struct {
	SHA  string      `json:"sha"`
	Ref  string      `json:"ref"`
	Repo *repository `json:"repo"`
}

type repository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	// CustomProperties are objects of any form; what cannot be read fails no event.
	CustomProperties json.RawMessage `json:"custom_properties"`
}

func (r repository) identity(c Context) (pipeline.Repository, error) {
	if r.FullName == "" && r.ID == 0 {
		return pipeline.Repository{}, errors.New("it is missing")
	}
	slug, err := pipeline.ParseSlug(r.FullName)
	if err != nil {
		return pipeline.Repository{}, err
	}
	if r.ID <= 0 {
		return pipeline.Repository{}, errors.New("the id is missing")
	}
	if c.Repository != (pipeline.Slug{}) && !c.Repository.Equal(slug) || c.RepositoryID != 0 && c.RepositoryID != r.ID {
		return pipeline.Repository{}, fmt.Errorf("the event is about %s (id %d), and the run belongs to %s", slug, r.ID, c.Repository)
	}
	// GitHub leaves the default branch out of a few payloads.
	if r.DefaultBranch != "" {
		if _, err := parseBranch(r.DefaultBranch); err != nil {
			return pipeline.Repository{}, fmt.Errorf("default branch: %w", err)
		}
	}
	return pipeline.Repository{Slug: slug, ID: r.ID, DefaultBranch: r.DefaultBranch}, nil
}

// branchOf returns the branch name of a full ref; empty for tags and others.
func branchOf(ref string) string {
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok {
		return ""
	}
	return branch
}
