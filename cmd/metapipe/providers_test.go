package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// ProviderConfig lays built providers out as both tools look for them and returns
// a CLI configuration that names nothing else.
func ProviderConfig(t testing.TB, names ...string) string {
	t.Helper()
	mirror := filepath.Join(t.TempDir(), "mirror")
	for _, name := range names {
		found := Must(filepath.Glob(filepath.Join(Must(os.UserCacheDir())(t), "metapipe", "tools", "terraform-provider-"+name+"-*", "terraform-provider-"+name)))(t)
		if len(found) == 0 {
			t.Skipf("no provider %s here: run `make tools`", name)
		}
		for home, tld := range map[string]string{"terraform": "io", "opentofu": "org"} {
			dir := filepath.Join(mirror, "registry."+home+"."+tld, "hashicorp", name, "9.0.0", runtime.GOOS+"_"+runtime.GOARCH)
			Check(t, os.MkdirAll(dir, 0o755))
			Check(t, os.Symlink(found[len(found)-1], filepath.Join(dir, "terraform-provider-"+name+"_v9.0.0")))
		}
	}
	config := filepath.Join(mirror, "cli.tfrc")
	Check(t, os.WriteFile(config, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror { path = %q }\n}\n", mirror), 0o600))
	return config
}
