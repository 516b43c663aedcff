package pipelinetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (h *Hub) SetStatus(_ context.Context, _ pipeline.Slug, sha pipeline.SHA, s pipeline.Status, known []pipeline.Status) error {
	if slices.Contains(known, s) {
		return nil
	}
	if err := h.refused("status " + s.Context); err != nil {
		return err
	}
	if n := len([]rune(s.Description)); n > 140 {
		return fmt.Errorf("422: description has %d characters", n)
	}
	h.Writes++
	h.StatusOf[string(sha)+" "+strings.ToLower(s.Context)] = s
	return nil
}

func (h *Hub) CommitStatuses(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) (pipeline.CommitStatuses, error) {
	if h.StatusesError != nil {
		return pipeline.CommitStatuses{}, h.StatusesError
	}
	found, err := h.Repository(ctx, repo)
	if err != nil {
		return pipeline.CommitStatuses{}, err
	}
	found.DefaultBranch = "" // that is not part of this answer
	all := pipeline.CommitStatuses{Repository: found, List: h.newest(sha)}
	if properties, err := pipeline.ParseProperties([]byte(h.Properties)); err == nil && h.Properties != "" {
		all.Properties = properties
	}
	return all, nil
}

func (h *Hub) Statuses(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	if h.StatusesError != nil {
		return nil, h.StatusesError
	}
	if h.OnPoll != nil {
		h.OnPoll()
	}
	return h.newest(sha), nil
}

func (h *Hub) newest(sha pipeline.SHA) []pipeline.Status {
	var list []pipeline.Status
	for key, s := range h.StatusOf {
		if strings.HasPrefix(key, string(sha)+" ") {
			list = append(list, s)
		}
	}
	return list
}

func (h *Hub) CommitDeployments(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.Deployment, error) {
	var list []pipeline.Deployment
	for _, d := range h.DeploymentList {
		if d.SHA == sha {
			d.State = ""
			list = append(list, d)
		}
	}
	return list, nil
}

func (h *Hub) Deployments(_ context.Context, _ pipeline.Slug, _ pipeline.SHA, environment string) ([]pipeline.Deployment, error) {
	var list []pipeline.Deployment
	for _, d := range h.DeploymentList {
		if d.Environment == environment {
			list = append(list, d)
		}
	}
	return list, nil
}

func (h *Hub) FindDeployment(_ context.Context, _ pipeline.Slug, environment string, fits func(pipeline.Deployment) bool) (pipeline.Deployment, bool, error) {
	h.Searches++
	for _, d := range slices.Backward(h.DeploymentList) {
		if (environment == "" || d.Environment == environment) && fits(d) {
			return d, true, h.SearchError
		}
	}
	return pipeline.Deployment{}, false, h.SearchError
}

func (h *Hub) Comments(context.Context, pipeline.Slug, int) ([]pipeline.Comment, error) {
	return h.CommentList, nil
}

func (h *Hub) CreateComment(_ context.Context, _ pipeline.Slug, _ int, body string) (pipeline.Comment, error) {
	if err := h.refused("comment"); err != nil {
		return pipeline.Comment{}, err
	}
	h.Writes++
	c := pipeline.Comment{ID: int64(len(h.CommentList) + 1), Author: "metapipe-bot", Body: body}
	h.CommentList = append(h.CommentList, c)
	return c, nil
}

func (h *Hub) EditComment(_ context.Context, _ pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	if err := h.refused("edit"); err != nil {
		return pipeline.Comment{}, err
	}
	h.Writes++
	for i := range h.CommentList {
		if h.CommentList[i].ID == id {
			h.CommentList[i].Body = body
			return h.CommentList[i], nil
		}
	}
	return pipeline.Comment{}, NotVisible()
}

func (h *Hub) DeleteComment(_ context.Context, _ pipeline.Slug, id int64) error {
	if err := h.refused("delete"); err != nil {
		return err
	}
	h.Writes++
	for i := range h.CommentList {
		if h.CommentList[i].ID == id {
			h.CommentList = append(h.CommentList[:i], h.CommentList[i+1:]...)
			return nil
		}
	}
	return nil
}

func (h *Hub) CreateDeployment(_ context.Context, _ pipeline.Slug, d pipeline.Deployment) (int64, error) {
	if err := h.refused("deployment"); err != nil {
		return 0, err
	}
	for _, old := range h.DeploymentList {
		if !d.First && old.Payload.Request == d.Payload.Request && old.Environment == d.Environment {
			return old.ID, nil
		}
	}
	if text, err := json.Marshal(d.Payload); err != nil || h.PayloadRoom > 0 && len(text) > h.PayloadRoom {
		return 0, &pipeline.PermanentError{Cause: pipeline.CauseTooLarge, Err: errors.New("HTTP 413")}
	}
	h.Writes++
	d.ID = int64(len(h.DeploymentList) + 1)
	h.DeploymentList = append([]pipeline.Deployment{d}, h.DeploymentList...)
	return d.ID, nil
}
