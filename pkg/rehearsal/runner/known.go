package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// known are the stand-ins for the actions of others that workflows of this kind use, by owner/name.
var known = map[string]Action{
	"actions/checkout":                      Checkout,
	"actions/upload-artifact":               upload,
	"actions/download-artifact":             download,
	"actions/cache":                         noCache,
	"actions/cache/restore":                 noCache,
	"actions/cache/save":                    noCache,
	"aws-actions/configure-aws-credentials": AWSCredentials,
	"hashicorp/setup-terraform":             useInstalled,
	"opentofu/setup-opentofu":               useInstalled,
}

// Checkout puts the files of a repository into the workspace. There is no history, and nothing to push with.
func Checkout(ctx context.Context, c *Call) error {
	repository, ref := c.Inputs["repository"], c.Inputs["ref"]
	own := format(c.Run.GitHub["repository"])
	if repository == "" || strings.EqualFold(repository, own) {
		repository = own
		if ref == "" {
			ref = format(c.Run.GitHub["sha"])
		}
	}
	if level := c.Job.Permissions["contents"]; level != "read" && level != "write" && strings.EqualFold(repository, own) && c.Inputs["token"] == "" {
		return c.Fail("the job has no permission contents: read, so its token cannot read %s", repository)
	}
	dir, inside := c.inWorkspace(c.Inputs["path"])
	if !inside {
		return c.Fail("the path %q leads out of the workspace", c.Inputs["path"])
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c.Log("checks out %s at %s", repository, ref)
	return c.Run.Host.Checkout(ctx, c.Job, repository, ref, dir)
}

// inWorkspace is a path of the workspace; it is not inside where it leads out of it.
func (c *Call) inWorkspace(name string) (dir string, inside bool) {
	dir = filepath.Join(c.Job.Workspace, filepath.FromSlash(name))
	relative, err := filepath.Rel(c.Job.Workspace, dir)
	return dir, err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// useInstalled takes the tool that is in PATH.
func useInstalled(_ context.Context, c *Call) error {
	c.Log("uses the tool of this machine")
	return nil
}

// noCache finds nothing and keeps nothing: GitHub promises no more.
func noCache(_ context.Context, c *Call) error {
	c.Outputs["cache-hit"] = "false"
	c.Log("there is no cache here")
	return nil
}

// AWSCredentials sets the variables that the action sets. There is no cloud that would give a role away.
func AWSCredentials(_ context.Context, c *Call) error {
	region := c.Inputs["aws-region"]
	if region == "" {
		return c.Fail("the input aws-region is required")
	}
	if c.Inputs["unset-current-credentials"] == "true" {
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
			c.Set(name, "")
		}
	}
	c.Set("AWS_REGION", region)
	c.Set("AWS_DEFAULT_REGION", region)
	if role := c.Inputs["role-to-assume"]; role != "" {
		c.Log("there is no cloud here: the role %s is not assumed", role)
	}
	if id, secret := c.Inputs["aws-access-key-id"], c.Inputs["aws-secret-access-key"]; id != "" && secret != "" {
		c.Job.Masks.Add(secret)
		c.Set("AWS_ACCESS_KEY_ID", id)
		c.Set("AWS_SECRET_ACCESS_KEY", secret)
	}
	return nil
}

// artifactsDir holds the artifacts of a run, beside the directories of its jobs: none of those begins with a dot.
const artifactsDir = ".artifacts"

// artifactDir is where an artifact lies. Source of the characters that a name may not hold:
// https://github.com/actions/toolkit/blob/main/packages/artifact/src/internal/upload/path-and-artifact-name-validation.ts
func (c *Call) artifactDir(name string) (string, error) {
	if name == "" || strings.ContainsAny(name, "\":<>|*?\r\n\\/") || name == "." || name == ".." {
		return "", fmt.Errorf("%q is no name of an artifact", name)
	}
	return filepath.Join(c.Run.Dir, artifactsDir, name), nil
}

// upload keeps files for the jobs to come.
func upload(_ context.Context, c *Call) error {
	name := c.Inputs["name"]
	if name == "" {
		name = "artifact"
	}
	dir, err := c.artifactDir(name)
	if err != nil {
		return err
	}
	found, err := c.matching(c.Inputs["path"])
	if err != nil {
		return err
	}
	if len(found) == 0 {
		switch c.Inputs["if-no-files-found"] {
		case "error":
			return c.Fail("no files were found with the path %s", c.Inputs["path"])
		case "ignore":
		default:
			c.Log("::warning::no files were found with the path %s", c.Inputs["path"])
		}
		return nil
	}
	c.job.uploads.Lock()
	defer c.job.uploads.Unlock()
	if _, err := os.Stat(dir); err == nil && c.Inputs["overwrite"] != "true" {
		return c.Fail("an artifact with the name %s exists already", name)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, file := range found {
		if err := copyFile(file.from, filepath.Join(dir, file.to)); err != nil {
			return err
		}
	}
	c.Log("%d files are kept as %s", len(found), name)
	return nil
}

type match struct{ from, to string }

// matching finds the files of a path, or of several, one a line: files, directories, or patterns. Hidden ones are left
// out, as on GitHub.
func (c *Call) matching(list string) (found []match, err error) {
	for line := range strings.SplitSeq(list, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(c.Job.Workspace, filepath.FromSlash(line))
		}
		hits, err := filepath.Glob(line)
		if err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		for _, hit := range hits {
			err := filepath.WalkDir(hit, func(name string, entry fs.DirEntry, err error) error {
				if err == nil && strings.HasPrefix(entry.Name(), ".") && c.Inputs["include-hidden-files"] != "true" {
					if entry.IsDir() {
						return fs.SkipDir
					}
					return nil
				}
				if err != nil || !entry.Type().IsRegular() {
					return err
				}
				to, err := filepath.Rel(hit, name)
				if to == "." {
					to = filepath.Base(name)
				}
				found = append(found, match{name, to})
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// download brings artifacts into the workspace: one by its name, or those of a pattern, each in a directory of its
// name.
func download(_ context.Context, c *Call) error {
	to, inside := c.inWorkspace(c.Inputs["path"])
	if !inside {
		return c.Fail("the path %q leads out of the workspace", c.Inputs["path"])
	}
	if name := c.Inputs["name"]; name != "" {
		dir, err := c.artifactDir(name)
		if err != nil {
			return err
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return c.Fail("there is no artifact with the name %s", name)
		}
		return copyTree(dir, to)
	}
	entries, err := os.ReadDir(filepath.Join(c.Run.Dir, artifactsDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if p := c.Inputs["pattern"]; p != "" {
			if hit, err := path.Match(p, e.Name()); err != nil || !hit {
				continue
			}
		}
		into := filepath.Join(to, e.Name())
		if c.Inputs["merge-multiple"] == "true" {
			into = to
		}
		if err := copyTree(filepath.Join(c.Run.Dir, artifactsDir, e.Name()), into); err != nil {
			return err
		}
	}
	return nil
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return copyFile(name, filepath.Join(to, relative))
	})
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
