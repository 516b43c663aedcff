package tool

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/opentofu/tofudl"
	"github.com/opentofu/tofudl/mockmirror"
)

// releasesOf are those of a mirror with one release, 1.0.0.
func releasesOf(mirror mockmirror.Mirror, key string) tofuReleases {
	return tofuReleases{
		options: []tofudl.ConfigOpt{tofudl.ConfigAPIURL(mirror.APIURL()), tofudl.ConfigGPGKey(key), tofudl.ConfigHTTPClient(http.DefaultClient)},
		client:  http.DefaultClient,
		address: func(version, file string) string {
			return strings.NewReplacer("{{ .Version }}", version, "{{ .Artifact }}", file).Replace(mirror.DownloadMirrorURLTemplate())
		},
	}
}

func TestTofuIsInstalled(t *testing.T) {
	t.Parallel()
	want := []byte("#!/bin/sh\necho tofu\n")
	mirror := mockmirror.NewFromBinary(t, want)
	dir := t.TempDir()
	if err := releasesOf(mirror, mirror.GPGKey()).install(t.Context(), nil, dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "tofu")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q %v", got, err)
	}
}

// changedFile is a transport that changes the file with this end.
type changedFile struct{ end string }

func (c changedFile) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, c.end) {
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader("x"), response.Body))
	}
	return response, err
}

func TestTofuIsRefused(t *testing.T) {
	t.Parallel()
	mirror, other := mockmirror.NewFromBinary(t, []byte("tofu")), mockmirror.NewFromBinary(t, []byte("tofu"))
	newer, err := version.NewConstraint("> 1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key         string
		change      string
		address     func(version, file string) string
		constraints version.Constraints
		want        string
	}{
		"another key":       {key: other.GPGKey(), want: "Signature"},
		"changed archive":   {key: mirror.GPGKey(), change: ".tar.gz", want: "checksum"},
		"changed checksums": {key: mirror.GPGKey(), change: "SHA256SUMS", want: "Signature"},
		"changed signature": {key: mirror.GPGKey(), change: ".gpgsig", want: "Signature"},
		"missing file":      {key: mirror.GPGKey(), address: func(string, string) string { return mirror.APIURL() + "/nothing" }, want: "download tofu_1.0.0_SHA256SUMS: "},
		"no such version":   {key: mirror.GPGKey(), constraints: newer, want: "no release of tofu fits > 1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			releases := releasesOf(mirror, c.key)
			if c.change != "" {
				releases.client = &http.Client{Transport: changedFile{c.change}}
			}
			if c.address != nil {
				releases.address = c.address
			}
			dir := t.TempDir()
			if err := releases.install(t.Context(), c.constraints, dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("there is %v %v", left, err)
			}
		})
	}
}
