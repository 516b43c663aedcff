package hub

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// The sizes up to which the contents API gives a file with everything and raw:
// GitHub's page "Get repository content".
const (
	maxInline = 1 << 20
	maxRaw    = 100 << 20
)

// getContents is GET /repos/{owner}/{repo}/contents/{path}.
func getContents(c *call) reply {
	ref := c.r.URL.Query().Get("ref")
	rev := ref
	if rev == "" {
		rev = c.repo.defaultBranch
	}
	commit := c.repo.resolve(rev)
	if commit == nil {
		if ref == "" {
			return problem(404, "This repository is empty.")
		}
		return problem(404, "No commit found for the ref "+ref)
	}
	p := strings.Trim(c.params["path"], "/")
	git := c.repo.git
	entry, found := git.Lookup(commit.Tree, p)
	at, _, reachable := git.Follow(commit.Tree, p)
	switch {
	case !found && !reachable:
		return notFound()
	case !found:
		entry = at // a link on the way
	case entry.Mode == ModeSymlink && reachable && at.Mode != gitstore.ModeTree:
		entry = at // a link to a file of the repository is shown as that file
	}
	accept := c.r.Header.Get("Accept")
	raw := strings.Contains(accept, "vnd.github.raw") || strings.Contains(accept, "vnd.github.v3.raw")
	switch {
	case entry.Mode == gitstore.ModeTree:
		return c.directory(entry, p, rev, strings.Contains(accept, "vnd.github.object"))
	case entry.Mode == ModeSymlink && !raw:
		v := c.repo.content(entry, p, rev)
		v["target"] = string(git.Blobs[entry.SHA])
		return ok(v)
	}
	return c.file(entry, p, rev, raw)
}

func (c *call) file(e gitstore.Entry, p, rev string, raw bool) reply {
	blob := c.repo.git.Blobs[e.SHA]
	if raw {
		if len(blob) > maxRaw {
			return tooLarge()
		}
		return reply{status: 200, raw: append([]byte{}, blob...), ctype: "application/vnd.github.raw; charset=utf-8"}
	}
	if len(blob) > maxRaw {
		return tooLarge()
	}
	v := c.repo.content(gitstore.Entry{Name: e.Name, Mode: ModeFile, SHA: e.SHA}, p, rev)
	v["encoding"], v["content"] = "base64", lines60(blob)
	if len(blob) > maxInline {
		v["encoding"], v["content"] = "none", ""
	}
	return ok(v)
}

func tooLarge() reply {
	rep := problem(403, "This API returns blobs up to 100 MB in size.")
	if body, isObject := rep.body.(object); isObject {
		body["errors"] = []fieldError{{Resource: "Blob", Field: "data", Code: "too_large"}}
	}
	return rep
}

// lines60 is base64 broken into lines of 60, as GitHub sends it.
func lines60(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(text) > 60 {
		out.WriteString(text[:60] + "\n")
		text = text[60:]
	}
	out.WriteString(text)
	if text != "" {
		out.WriteString("\n")
	}
	return out.String()
}

func (c *call) directory(e gitstore.Entry, p, rev string, asObject bool) reply {
	entries := []object{}
	for _, child := range c.repo.git.Trees[e.SHA] {
		at := path.Join(p, child.Name)
		v := c.repo.content(child, at, rev)
		entries = append(entries, v)
	}
	if !asObject {
		return ok(entries)
	}
	v := c.repo.content(gitstore.Entry{Name: path.Base(p), Mode: gitstore.ModeTree, SHA: e.SHA}, p, rev)
	v["entries"] = entries
	rep := ok(v)
	rep.ctype = "application/vnd.github.object; charset=utf-8"
	return rep
}

// content are the fields that files, directories and links have in common.
func (r *Repo) content(e gitstore.Entry, p, rev string) object {
	escaped := escapePath(p)
	self := fmt.Sprintf("%s/contents/%s?ref=%s", r.api(), escaped, url.QueryEscape(rev))
	kind, git, html := "file", "blobs", "blob"
	var download any = fmt.Sprintf("%s/_raw/%s/%s/%s", r.s.url, r.slug(), url.PathEscape(rev), escaped)
	size := len(r.git.Blobs[e.SHA])
	switch e.Mode {
	case gitstore.ModeTree:
		kind, git, html, download, size = "dir", "trees", "tree", nil, 0
	case ModeSymlink:
		kind = "symlink"
	}
	gitURL := r.api() + "/git/" + git + "/" + e.SHA
	htmlURL := fmt.Sprintf("%s/%s/%s/%s", r.html(), html, url.PathEscape(rev), escaped)
	return object{
		"type": kind, "size": size, "name": path.Base(p), "path": p, "sha": e.SHA, "url": self,
		"git_url": gitURL, "html_url": htmlURL, "download_url": download,
		"_links": object{"self": self, "git": gitURL, "html": htmlURL},
	}
}

// getRaw serves what download_url points at.
func getRaw(c *call) reply {
	commit := c.repo.resolve(c.params["sha"])
	if commit == nil {
		return notFound()
	}
	e, _, good := c.repo.git.Follow(commit.Tree, c.params["path"])
	if !good || e.Mode == gitstore.ModeTree {
		return notFound()
	}
	return reply{status: 200, raw: append([]byte{}, c.repo.git.Blobs[e.SHA]...), ctype: "text/plain; charset=utf-8"}
}
