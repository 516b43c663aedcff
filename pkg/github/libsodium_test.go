package github_test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// sodiumVersion is the version of the npm packages that .ci/tools/api-description fetches.
const sodiumVersion = "0.7.15"

// withoutSodium skips the test, or fails it where the packages are required.
func withoutSodium(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("METAPIPE_REQUIRE_LIBSODIUM") == "1" {
		t.Fatal(why)
	}
	t.Skip("libsodium: " + why)
}

// opener opens sealed boxes: the first line of its input is the public key, the second the private one, and each
// further one a box, all in base64. It prints what is in them, in base64.
const opener = `
const sodium = require('libsodium-wrappers');
const lines = require('fs').readFileSync(0, 'utf8').trim().split('\n');
sodium.ready.then(() => {
  const bytes = s => sodium.from_base64(s, sodium.base64_variants.ORIGINAL);
  const [publicKey, privateKey, ...boxes] = lines.map(bytes);
  for (const box of boxes) console.log(sodium.to_base64(sodium.crypto_box_seal_open(box, publicKey, privateKey), sodium.base64_variants.ORIGINAL));
});`

// TestSealedForLibsodium: libsodium, which GitHub opens secrets with, opens what is sealed here.
func TestSealedForLibsodium(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		withoutSodium(t, "there is no node: install npm")
	}
	dir := t.TempDir()
	for _, name := range []string{"libsodium-wrappers", "libsodium"} {
		file := must(hubtest.Fetched(name, sodiumVersion, name+".js"))(t)
		source, err := os.ReadFile(file)
		if err != nil {
			withoutSodium(t, name+" is not fetched: run `make api-description`")
		}
		at := filepath.Join(dir, "node_modules", name)
		check(t, os.MkdirAll(at, 0o700))
		check(t, os.WriteFile(filepath.Join(at, "index.js"), source, 0o600))
	}
	public, private, err := box.GenerateKey(rand.Reader)
	check(t, err)
	key := base64.StdEncoding.EncodeToString(public[:])
	input := []string{key, base64.StdEncoding.EncodeToString(private[:])}
	var want []string
	for _, text := range []string{"ghp_1", "", "ä\n\x00\"'`$(x)", strings.Repeat("x", 48<<10)} {
		sealed := must(github.Seal(key, text))(t)
		if strings.Contains(sealed, text) && text != "" {
			t.Errorf("%q is in its box", text)
		}
		input, want = append(input, sealed), append(want, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", opener)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(strings.Join(input, "\n"))
	out, err := cmd.CombinedOutput()
	if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v: %.400s", err, out)
	}
}
