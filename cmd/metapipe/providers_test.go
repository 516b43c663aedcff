package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// providerConfig lays built providers out as both tools look for them and returns
// a CLI configuration that names nothing else.
func providerConfig(t testing.TB, names ...string) string {
	t.Helper()
	mirror := filepath.Join(t.TempDir(), "mirror")
	for _, name := range names {
		found := must(filepath.Glob(filepath.Join(must(os.UserCacheDir())(t), "metapipe", "tools", "terraform-provider-"+name+"-*", "terraform-provider-"+name)))(t)
		if len(found) == 0 {
			t.Skipf("no provider %s here: run `make tools`", name)
		}
		for home, tld := range map[string]string{"terraform": "io", "opentofu": "org"} {
			dir := filepath.Join(mirror, "registry."+home+"."+tld, "hashicorp", name, "9.0.0", runtime.GOOS+"_"+runtime.GOARCH)
			check(t, os.MkdirAll(dir, 0o755))
			check(t, os.Symlink(found[len(found)-1], filepath.Join(dir, "terraform-provider-"+name+"_v9.0.0")))
		}
	}
	config := filepath.Join(mirror, "cli.tfrc")
	check(t, os.WriteFile(config, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror { path = %q }\n}\n", mirror), 0o600))
	return config
}
