package attack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// serveModule lets the manager's root take a module from a server that the attacker can
// write to: serve-module FOLDER, where the folder of the script holds the module.
func (a *attempt) serveModule(args []string) {
	a.T.Helper()
	a.module = &atomic.Pointer[[]byte]{}
	a.exchangeModule(args)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*a.module.Load()) }))
	a.T.Cleanup(server.Close)
	a.Commit(a.Manager, "main", map[string]string{"terraform/module.tf": "module \"m\" {\n  source = \"" + server.URL + "/m.tar.gz\"\n}\n"})
}

// exchangeModule puts another module in its place: exchange-module FOLDER.
func (a *attempt) exchangeModule(args []string) {
	a.T.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	for name, text := range a.set(args[0]) {
		fixture.Check(a.T, archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))}))
		fixture.Must(archive.Write([]byte(text)))(a.T)
	}
	fixture.Check(a.T, archive.Close())
	fixture.Check(a.T, zipped.Close())
	content := b.Bytes()
	a.module.Store(&content)
}
