package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// CheckJob refuses jobs that would write to unexpected places.
func CheckJob(job pipeline.Job) error {
	if job.Variables == nil {
		return errors.New("job has no variables")
	}
	for _, dir := range []struct{ what, path string }{{"manager directory", job.ManagerDir}, {"run directory", job.Dir}} {
		if !filepath.IsAbs(dir.path) {
			return fmt.Errorf("%s %q is not absolute", dir.what, dir.path)
		}
	}
	if err := job.CheckStack(); err != nil {
		return err
	}
	if root := job.Root(); root != "" && !filepath.IsLocal(filepath.FromSlash(root)) {
		return pipeline.Usagef("root %q of %s leads out of the manager directory", root, job.Target()).
			Nextf("name a directory inside the manager repository")
	}
	return nil
}

// CopyJob copies the manager tree of a job into a directory. It returns the digests of the
// tree and of what of it counts as code.
func CopyJob(ctx context.Context, job pipeline.Job, to string) (digest, code string, err error) {
	skip := append(OwnPaths(job.ManagerDir, job.Root(), job.Customer.Manager.State.Directory, nil), job.Dir)
	c := NewCopy(job.ManagerDir, to, skip...)
	c.Root, c.Listed, c.Customer = job.Root(), job.Customer.Manager.Code, job.Customer.Name
	if digest, err = c.Run(ctx); err != nil {
		return "", "", err
	}
	code, err = CodeFor(c.Code.Digest(), to, job.Customer.Name)
	return digest, code, err
}

// WriteError is the error of writing to the run directory of a target.
func WriteError(target pipeline.Target, what string, err error) error {
	switch {
	case text.DiskFull(err):
		return &pipeline.FailedError{Message: fmt.Sprintf("%s for %s: the disk of the run directory is full", what, target), Next: pipeline.ProviderNext,
			Operator: "free space there, or name another directory with --work-dir", Err: err}
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return pipeline.Usagef("%s for %s", what, target).Because(err).
			Nextf("check who may read the manager directory and write to the run directory, or name another one with --work-dir")
	}
	return fmt.Errorf("%s for %s: %w", what, target, err)
}
