package tree

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

func copyOf(t *testing.T, from string, skip ...string) (string, *Copy, string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tree")
	c := NewCopy(from, to, skip...)
	digest, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return to, c, digest
}

func TestTreeCopy(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	for _, name := range []string{
		"root/main.tf", "modules/a/main.tf", "script.sh", ".hidden",
		".git/config", "root/.terraform/x", "root/terraform.tfstate", "root/terraform.tfstate.backup", "root/.terraform.tfstate.lock.info",
		"state/acme/x", "run/y", "root/source-variables.yml",
	} {
		terraformtest.WriteFile(t, filepath.Join(from, name), name)
	}
	if err := os.Chmod(filepath.Join(from, "script.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../modules", filepath.Join(from, "root", "link")); err != nil {
		t.Fatal(err)
	}
	to, c, digest := copyOf(t, from, filepath.Join(from, "state"), filepath.Join(from, "run"), filepath.Join(from, "root/source-variables.yml"), from, "/elsewhere")
	var got []string
	for name := range c.Stamps {
		got = append(got, name)
	}
	if len(got) != 5 {
		t.Errorf("copied %q", got)
	}
	if info, err := os.Stat(filepath.Join(to, "script.sh")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("script: %v %v", info, err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "root/link/a/main.tf")); err != nil || string(b) != "modules/a/main.tf" {
		t.Errorf("through the link: %q %v", b, err)
	}
	changes := map[string]func(dir string) error{
		"content": func(dir string) error { return os.WriteFile(filepath.Join(dir, ".hidden"), []byte("x"), 0o600) },
		"mode":    func(dir string) error { return os.Chmod(filepath.Join(dir, "script.sh"), 0o644) },
		"name":    func(dir string) error { return os.Rename(filepath.Join(dir, ".hidden"), filepath.Join(dir, "seen")) },
		"link": func(dir string) error {
			return os.Rename(filepath.Join(dir, "root/link"), filepath.Join(dir, "root/other"))
		},
		"less": func(dir string) error { return os.Remove(filepath.Join(dir, "root/main.tf")) },
	}
	for name, change := range changes {
		again, _, same := copyOf(t, to)
		if same != digest {
			t.Error("the copy has another digest")
		}
		if err := change(again); err != nil {
			t.Fatal(err)
		}
		if _, _, other := copyOf(t, again); other == digest {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

func TestTreeCopyRefusesLinksOutside(t *testing.T) {
	t.Parallel()
	for name, links := range map[string][][2]string{
		"above":       {{"a/link", "../../x"}},
		"absolute":    {{"link", "/etc/passwd"}},
		"by the side": {{"a/up", ".."}, {"a/b/deep", "../up/../x"}},
		"in disguise": {{"a/b/top", "../.."}, {"a/b/evil", "top/../secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			from := filepath.Join(base, "manager")
			terraformtest.WriteFile(t, filepath.Join(from, "a/b/file"), "")
			terraformtest.WriteFile(t, filepath.Join(base, "secret"), "")
			terraformtest.WriteFile(t, filepath.Join(base, "x"), "")
			for _, l := range links {
				if err := os.Symlink(l[1], filepath.Join(from, l[0])); err != nil {
					t.Fatal(err)
				}
			}
			_, err := NewCopy(from, filepath.Join(t.TempDir(), "tree")).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "leads out of the manager directory") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	for _, name := range []string{"root/main.tf", "kept", "changed", "root/source-variables.yml"} {
		terraformtest.WriteFile(t, filepath.Join(from, name), name)
	}
	tree, c, _ := copyOf(t, from)
	time.Sleep(20 * time.Millisecond) // file times are coarse
	terraformtest.WriteFile(t, filepath.Join(tree, "root/.terraform.lock.hcl"), "lock")
	terraformtest.WriteFile(t, filepath.Join(tree, "root/build/fn.zip"), "zip")
	terraformtest.WriteFile(t, filepath.Join(tree, "changed"), "CHANGED")
	terraformtest.WriteFile(t, filepath.Join(tree, "root/errored.tfstate"), "secret")
	terraformtest.WriteFile(t, filepath.Join(tree, "root/.terraform/x"), "data")
	terraformtest.WriteFile(t, filepath.Join(tree, "root/source-variables.yml"), "ours, made anew")
	bundle := filepath.Join(t.TempDir(), "bundle.tar")
	n, err := WriteBundle(bundle, tree, c.Stamps, map[string]bool{"root/source-variables.yml": true})
	if err != nil || n != 3 {
		t.Fatalf("%d files, %v", n, err)
	}
	again, _, _ := copyOf(t, from)
	if err := ExtractBundle(bundle, again); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"root/.terraform.lock.hcl": "lock", "root/build/fn.zip": "zip", "changed": "CHANGED", "kept": "kept"} {
		if b, err := os.ReadFile(filepath.Join(again, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
}

func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode = 0o4777
		if h.Typeflag == tar.TypeReg {
			h.Size = 2
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte("hi")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExtractRefuses(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]tar.Header{
		"absolute":    {{Name: "/etc/x", Typeflag: tar.TypeReg}},
		"above":       {{Name: "../x", Typeflag: tar.TypeReg}},
		"hidden up":   {{Name: "a/../../x", Typeflag: tar.TypeReg}},
		"link":        {{Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink}},
		"hard link":   {{Name: "l", Linkname: "x", Typeflag: tar.TypeLink}},
		"device":      {{Name: "d", Typeflag: tar.TypeChar}},
		"directory":   {{Name: "d/", Typeflag: tar.TypeDir}},
		"backslash":   {{Name: `..\x`, Typeflag: tar.TypeReg}},
		"over a link": {{Name: "out/x", Typeflag: tar.TypeReg}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			tree := filepath.Join(base, "tree")
			terraformtest.WriteFile(t, filepath.Join(tree, "x"), "x")
			if err := os.Symlink(base, filepath.Join(tree, "out")); err != nil {
				t.Fatal(err)
			}
			bundle := filepath.Join(t.TempDir(), "b.tar")
			terraformtest.WriteFile(t, bundle, string(tarOf(t, headers...)))
			if err := ExtractBundle(bundle, tree); err == nil {
				t.Error("extracted")
			}
			if _, err := os.Stat(filepath.Join(base, "x")); err == nil {
				t.Error("wrote outside of the tree")
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Name: "a/b", Typeflag: tar.TypeReg}, tar.Header{Name: "c", Typeflag: tar.TypeReg}))
	f.Add(tarOf(f, tar.Header{Name: "../b", Typeflag: tar.TypeReg}))
	f.Add([]byte("no tar"))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		base := t.TempDir()
		tree := filepath.Join(base, "tree")
		if err := os.Mkdir(tree, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(tree)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := extract(bytes.NewReader(bundle), root); err != nil {
			t.Log(err)
		}
		entries, err := os.ReadDir(base)
		if err != nil || len(entries) != 1 {
			t.Errorf("beside the tree: %v %v", entries, err)
		}
	})
}
