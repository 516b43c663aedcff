package pipelinetest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (h *Hub) Repository(_ context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	if repo.Equal(ManagerSlug) {
		return pipeline.Repository{Slug: ManagerSlug, ID: h.ManagerID, DefaultBranch: "main"}, h.ManagerError
	}
	if h.AnswerRepository != nil {
		return h.AnswerRepository()
	}
	if !repo.Equal(h.w.Current.Repository) {
		return pipeline.Repository{}, NotVisible()
	}
	return pipeline.Repository{Slug: h.w.Current.Repository, ID: 7, DefaultBranch: "main"}, nil
}

// RepositoryProperties answers as the client does: what cannot be read is unknown.
func (h *Hub) RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
	found, err := h.Repository(ctx, repo)
	if err != nil {
		return found, pipeline.Properties{}, err
	}
	properties, err := pipeline.ParseProperties([]byte(h.Properties))
	if err != nil {
		properties = pipeline.Properties{}
	}
	return found, properties, nil
}

func (h *Hub) PullRequest(_ context.Context, _ pipeline.Slug, number int) (pipeline.PullRequest, error) {
	pr, ok := h.Pulls[number]
	if !ok {
		return pr, NotVisible()
	}
	return pr, nil
}

func (h *Hub) PullRequestsOf(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error) {
	if n, ok := h.Merged[sha]; ok {
		return []pipeline.PullRequest{{Number: n, State: "closed", Merged: true, BaseBranch: "main", MergeSHA: sha}}, nil
	}
	return nil, nil
}

func (h *Hub) Reachable(_ context.Context, _ pipeline.Slug, branch string, sha pipeline.SHA) (bool, error) {
	_, known := h.files[sha]
	if h.Deleted[branch] {
		return false, Gone()
	}
	return known && !h.Unreachable[sha] && branch != "gone", nil
}

// Compare knows one line of commits, in the order in which they were made, and
// those beside it that a push has thrown away.
func (h *Hub) Compare(_ context.Context, _ pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error) {
	h.Compared++
	b, a := slices.Index(h.CommitLine, base), slices.Index(h.CommitLine, head)
	if a < 0 || b < 0 {
		return false, false, NotVisible()
	}
	if h.Unreachable[base] != h.Unreachable[head] {
		return true, true, nil
	}
	return b < a, a < b, nil
}

func (h *Hub) BranchHead(_ context.Context, repo pipeline.Slug, _ string) (pipeline.SHA, error) {
	if repo.Equal(ManagerSlug) {
		return h.ManagerHead, h.ManagerError
	}
	for sha := range h.files {
		return sha, nil
	}
	return "", Gone()
}

func (h *Hub) File(_ context.Context, _ pipeline.Slug, ref, path string) (pipeline.File, error) {
	content, ok := h.files[pipeline.SHA(ref)]
	if !ok || content == "" {
		return pipeline.File{}, Gone()
	}
	sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	return pipeline.File{Path: path, Blob: pipeline.SHA(hex.EncodeToString(sum[:])), Content: []byte(content)}, nil
}

func (h *Hub) ChangedPaths(context.Context, pipeline.Slug, pipeline.SHA, pipeline.SHA) ([]string, bool, error) {
	return h.Paths, !h.PathsIncomplete, nil
}

func (h *Hub) PullRequestPaths(context.Context, pipeline.Slug, int) ([]string, bool, error) {
	return h.Paths, !h.PathsIncomplete, nil
}
