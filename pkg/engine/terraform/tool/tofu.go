package tool

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-version"
	"github.com/opentofu/tofudl"
	"github.com/opentofu/tofudl/branding"

	"github.com/metapipe/metapipe/pkg/engine/process"
)

// The most that is read of a release.
const (
	maxChecksums = 1 << 20
	maxArchive   = 512 << 20
	maxProgram   = 1 << 30
)

// tofuReleases is where OpenTofu is downloaded from. tofudl reads the list of releases, and
// checks the signature of the checksums and the checksum of the archive. It does not
// download: it would write the address with text/template, which looks methods up by
// reflection, and the linker would keep every method of every type for that.
type tofuReleases struct {
	options []tofudl.ConfigOpt
	client  *http.Client
	// address is that of a file of a release.
	address func(version, file string) string
}

func newTofuReleases() tofuReleases {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13}
	client := &http.Client{Transport: transport}
	return tofuReleases{
		options: []tofudl.ConfigOpt{tofudl.ConfigHTTPClient(client)},
		client:  client,
		address: func(version, file string) string {
			return "https://github.com/opentofu/opentofu/releases/download/v" + version + "/" + file
		},
	}
}

// install puts the newest stable release that fits into dir.
func (r tofuReleases) install(ctx context.Context, constraints version.Constraints, dir string) error {
	downloader, err := tofudl.New(r.options...)
	if err != nil {
		return err
	}
	stable := tofudl.StabilityStable
	versions, err := downloader.ListVersions(ctx, tofudl.ListVersionOptMinimumStability(stable))
	if err != nil {
		return err
	}
	for _, candidate := range versions { // newest first
		v, err := version.NewVersion(string(candidate.ID))
		if err != nil || constraints != nil && !constraints.Check(v) {
			continue
		}
		program, err := r.program(ctx, candidate, downloader.VerifyArtifact)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, process.Executable("tofu")), program, 0o700) //nolint:gosec // a program must be executable
	}
	return fmt.Errorf("no release of tofu fits %s", constraints)
}

// program downloads one release and returns the program in it.
func (r tofuReleases) program(ctx context.Context, release tofudl.VersionWithArtifacts, verify func(name string, content, checksums, signature []byte) error) ([]byte, error) {
	platform, err := tofudl.PlatformAuto.ResolveAuto()
	if err != nil {
		return nil, err
	}
	architecture, err := tofudl.ArchitectureAuto.ResolveAuto()
	if err != nil {
		return nil, err
	}
	start := branding.ArtifactPrefix + string(release.ID) + "_"
	name := start + string(platform) + "_" + string(architecture) + ".tar.gz"
	checksums, err := r.read(ctx, release, start+"SHA256SUMS", maxChecksums)
	if err != nil {
		return nil, err
	}
	signature, err := r.read(ctx, release, start+"SHA256SUMS.gpgsig", maxChecksums)
	if err != nil {
		return nil, err
	}
	archive, err := r.read(ctx, release, name, maxArchive)
	if err != nil {
		return nil, err
	}
	if err := verify(name, archive, checksums, signature); err != nil {
		return nil, err
	}
	program, err := unpacked(archive)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	return program, nil
}

// read downloads one file of a release.
func (r tofuReleases) read(ctx context.Context, release tofudl.VersionWithArtifacts, name string, most int64) ([]byte, error) {
	if !slices.Contains(release.Files, name) {
		return nil, fmt.Errorf("the release %s of tofu has no file %s", release.ID, name)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address(string(release.ID), name), nil)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download %s: %s", name, response.Status)
	}
	return readAtMost(response.Body, most, name)
}

func readAtMost(from io.Reader, most int64, name string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return content, nil
}

// unpacked is the program in an archive.
func unpacked(archive []byte) ([]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(plain); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("there is no %s in it", branding.PlatformBinaryName)
		}
		if err != nil {
			return nil, err
		}
		if file.Name == branding.PlatformBinaryName && file.Typeflag == tar.TypeReg {
			return readAtMost(files, maxProgram, file.Name)
		}
	}
}
