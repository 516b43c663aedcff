package github

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxFile is the size up to which the contents API gives everything:
// https://docs.github.com/rest/repos/contents#get-repository-content
const maxFile = 1 << 20

// maxListing is the number of entries at which a directory listing is cut.
const maxListing = 1000

// NotAFileError says that something else than a regular file is at a path. It
// wraps pipeline.Problems, since only the owner of the file can correct it.
type NotAFileError struct {
	Path string
	Kind string // "symlink", "submodule" or "dir"
}

func (e *NotAFileError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the pipeline.Problems.
func (e *NotAFileError) Unwrap() error {
	name := map[string]string{"symlink": "symbolic link", "submodule": "submodule", "dir": "directory"}[e.Kind]
	return pipeline.Problems{{
		Position: pipeline.Position{File: e.Path}, Rule: "not-a-file",
		Message: "this is a " + name, Remedy: "replace it by a regular file",
	}}
}

// TooLargeError says that a file is larger than 1 MiB. It wraps
// pipeline.Problems too.
type TooLargeError struct {
	Path string
	Size int // bytes
}

func (e *TooLargeError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the pipeline.Problems.
func (e *TooLargeError) Unwrap() error {
	return pipeline.Problems{{
		Position: pipeline.Position{File: e.Path}, Rule: "file-too-large",
		Message: fmt.Sprintf("the file has %d bytes; at most %d can be read", e.Size, maxFile), Remedy: "make the file smaller",
	}}
}

// File reads a regular file of at most 1 MiB at ref, a commit or a branch. A
// missing file is a *pipeline.GoneError where the token can read the repository
// at ref, else a *pipeline.NotVisibleError; anything but a regular file is a
// *NotAFileError, a larger one a *TooLargeError. The content is what the git
// blob id says, or it is an error.
func (c *Client) File(ctx context.Context, slug pipeline.Slug, ref, name string) (pipeline.File, error) {
	k := get(slug, fmt.Sprintf("read %s at %s", name, shortRef(ref)), "/repos/{owner}/{repo}/contents/{+path}", name)
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) || path.Clean(name) != name || path.IsAbs(name) {
		return pipeline.File{}, k.fail(fmt.Errorf("%q is not a clean relative path", name))
	}
	k.query = url.Values{"ref": {ref}}
	var raw json.RawMessage
	if _, err := c.send(ctx, k, nil, &raw); err != nil {
		top := get(slug, "list the files at "+shortRef(ref), "/repos/{owner}/{repo}/contents")
		top.query = url.Values{"ref": {ref}}
		return pipeline.File{}, c.goneUnless(ctx, err, top)
	}
	file, err := decodeFile(raw, name)
	if err == nil {
		err = c.checkRegular(ctx, slug, ref, file)
	}
	if err != nil {
		return pipeline.File{}, k.fail(err)
	}
	return file, nil
}

func decodeFile(raw json.RawMessage, name string) (pipeline.File, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return pipeline.File{}, &NotAFileError{Path: name, Kind: "dir"}
	}
	var got contentResponse
	if err := json.Unmarshal(raw, &got); err != nil {
		return pipeline.File{}, fmt.Errorf("decode the answer: %w", err)
	}
	if kind := got.kind(); kind != "file" {
		return pipeline.File{}, &NotAFileError{Path: name, Kind: kind}
	}
	if got.Size > maxFile {
		return pipeline.File{}, &TooLargeError{Path: name, Size: got.Size}
	}
	blob, err := pipeline.ParseSHA(got.SHA)
	if err != nil {
		return pipeline.File{}, err
	}
	if got.Content == nil || got.Encoding != "base64" {
		return pipeline.File{}, fmt.Errorf("the answer has the unknown encoding %q", got.Encoding)
	}
	// The decoder skips the line breaks that GitHub puts in.
	content, err := base64.StdEncoding.DecodeString(*got.Content)
	if err != nil {
		return pipeline.File{}, fmt.Errorf("decode the content: %w", err)
	}
	if blobID(content) != blob {
		return pipeline.File{}, fmt.Errorf("the content does not belong to blob %s", blob.Short())
	}
	return pipeline.File{Path: name, Blob: blob, Content: content}, nil
}

// checkRegular looks the file up in its directory. The contents API follows a
// symbolic link to its target without a word, the listing shows the link.
func (c *Client) checkRegular(ctx context.Context, slug pipeline.Slug, ref string, file pipeline.File) error {
	dir := path.Dir(file.Path)
	k := get(slug, "list the directory of "+file.Path, "/repos/{owner}/{repo}/contents")
	if dir != "." {
		k.route, k.args = "/repos/{owner}/{repo}/contents/{+path}", []string{dir}
	}
	k.query = url.Values{"ref": {ref}}
	var raw json.RawMessage
	if _, err := c.send(ctx, k, nil, &raw); err != nil {
		return err
	}
	var entries []contentResponse
	if err := json.Unmarshal(raw, &entries); err != nil {
		return &NotAFileError{Path: dir, Kind: "symlink"} // only a directory is a list
	}
	for _, entry := range entries {
		if entry.Name != path.Base(file.Path) {
			continue
		}
		if kind := entry.kind(); kind != "file" {
			return &NotAFileError{Path: file.Path, Kind: kind}
		}
		if entry.SHA != string(file.Blob) {
			return fmt.Errorf("%s changed while it was read; ask again", file.Path)
		}
		return nil
	}
	if len(entries) >= maxListing {
		return fmt.Errorf("the directory %s has too many entries (%d or more) to see whether %s is a regular file: move it to a directory of its own",
			dir, maxListing, path.Base(file.Path))
	}
	return errors.New("the file is not in the listing of its directory")
}

// kind returns "file", "dir", "symlink" or "submodule". A listing calls a
// submodule a file for old clients; its git address gives it away.
func (c contentResponse) kind() string {
	kind := c.Type
	if c.SubmoduleURL != "" || (kind == "file" && strings.Contains(c.GitURL, "/git/trees/")) {
		return "submodule"
	}
	switch {
	case c.Target != "":
		return "symlink"
	case kind == "file", kind == "dir", kind == "symlink", kind == "submodule":
		return kind
	}
	return "submodule" // nothing that can be read
}

// blobID is the id that git gives to content.
func blobID(content []byte) pipeline.SHA {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return pipeline.SHA(hex.EncodeToString(h.Sum(nil)))
}

func shortRef(ref string) string {
	if sha, err := pipeline.ParseSHA(ref); err == nil {
		return sha.Short()
	}
	return fmt.Sprintf("%q", ref)
}

// IsDirectory reports whether a directory is at the path.
func (e *NotAFileError) IsDirectory() bool { return e.Kind == "dir" }
