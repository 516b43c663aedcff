package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// serveModule lets the manager's root take a module from a server that the attacker can
// write to: serve-module FOLDER, where the folder of the script holds the module.
func (a *attempt) serveModule(args []string) {
	a.t.Helper()
	a.module = &atomic.Pointer[[]byte]{}
	a.exchangeModule(args)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*a.module.Load()) }))
	a.t.Cleanup(server.Close)
	a.commit(a.manager, "main", map[string]string{"terraform/module.tf": "module \"m\" {\n  source = \"" + server.URL + "/m.tar.gz\"\n}\n"})
}

// exchangeModule puts another module in its place: exchange-module FOLDER.
func (a *attempt) exchangeModule(args []string) {
	a.t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	for name, text := range a.set(args[0]) {
		check(a.t, archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))}))
		must(archive.Write([]byte(text)))(a.t)
	}
	check(a.t, archive.Close())
	check(a.t, zipped.Close())
	content := b.Bytes()
	a.module.Store(&content)
}
