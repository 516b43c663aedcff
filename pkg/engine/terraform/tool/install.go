package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"

	"github.com/metapipe/metapipe/pkg/engine/process"
)

// installTimeout bounds one download: a proxy that swallows packets must not
// hang a deployment.
const installTimeout = 5 * time.Minute

// InstallFunc puts the newest release of a tool that fits the constraints (nil:
// any) into dir, which exists and is empty, as <dir>/<name>.
type InstallFunc func(ctx context.Context, name string, constraints version.Constraints, dir string) error

// Download is the InstallFunc that asks the projects' own release sites. Both
// libraries check the signature of the list of checksums and the checksum of
// the archive.
func Download(ctx context.Context, name string, constraints version.Constraints, dir string) error {
	if name == "tofu" {
		return newTofuReleases().install(ctx, constraints, dir)
	}
	latest := &releases.LatestVersion{
		Product:     product.Terraform,
		Constraints: constraints,
		InstallDir:  dir,
		Timeout:     installTimeout,
	}
	_, err := latest.Install(ctx)
	return err
}

// downloadError puts its cause on a line of its own.
type downloadError struct{ err error }

func (e *downloadError) Error() string { return "the details follow\n" + e.err.Error() }

func (e *downloadError) Unwrap() error { return e.err }

// download installs the tool into the cache. Two that install at once both
// succeed: the second finds the place taken by the same version.
func (s *search) download(ctx context.Context) (Binary, error) {
	if s.CacheDir == "" {
		return Binary{}, s.missing(errors.New("there is no cache directory to put it in"))
	}
	tools := filepath.Join(s.CacheDir, "tools")
	if err := os.MkdirAll(tools, 0o700); err != nil {
		return Binary{}, s.missing(err)
	}
	dir, err := os.MkdirTemp(tools, ".install-*")
	if err != nil {
		return Binary{}, s.missing(err)
	}
	defer os.RemoveAll(dir) // gone after the rename
	s.log(s.wanted() + " is not installed: downloading it")
	limited, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	// The addresses in such an error say nothing to a customer: they go below.
	if err := s.Install(limited, s.rule.Name, s.constraint, dir); err != nil {
		if ctx.Err() != nil {
			return Binary{}, fmt.Errorf("install %s: %w", s.rule.Name, ctx.Err())
		}
		return Binary{}, s.missing(&downloadError{err})
	}
	return s.keep(ctx, tools, dir)
}

// keep moves a fresh install to the place where the cache looks for it.
func (s *search) keep(ctx context.Context, tools, dir string) (Binary, error) {
	v, err := s.askVersion(ctx, filepath.Join(dir, process.Executable(s.rule.Name)))
	if err != nil {
		return Binary{}, s.missing(err)
	}
	if !s.fits(v) {
		return Binary{}, s.missing(fmt.Errorf("got version %s", v))
	}
	place := filepath.Join(tools, s.rule.Name+"-"+v)
	if err := os.Rename(dir, place); err != nil && !process.IsExecutable(filepath.Join(place, process.Executable(s.rule.Name))) {
		return Binary{}, s.missing(err)
	}
	return Binary{Name: s.rule.Name, Path: filepath.Join(place, process.Executable(s.rule.Name)), Version: v}, nil
}
