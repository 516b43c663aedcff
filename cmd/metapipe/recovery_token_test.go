package main

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestRecoverLeakedToken plays the page about a leaked token: somebody has sent a request
// that no run has signed, and has rewritten a ledger and replaced a state with the keys
// of the bucket.
func TestRecoverLeakedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.deployed(variablesYML)
	page := recoveryPage(t, "A token has leaked", "NAME", "shop")
	w.plays(r.run, page)
	quiet := append([]string(nil), page.commands...)
	page.next(0).says(t, "no request without a verified origin is on record")
	page.next(0).says(t, "shop/staging: ", "whole; fits")
	page.next(0).says(t, "shop/staging", "free")
	page.next(0).says(t, "shop/staging: clean")
	page.done()

	forged := w.forge(r.run, func(request, _ map[string]any) { request["repository_id"] = 999 })
	w.newJob(forged).do(3, "fetch-vars")
	chain := filepath.Join(w.store, "shop", "staging", "ledger")
	entries := readChain(t, chain)
	entries[2] = bytes.Replace(entries[2], []byte("shop"), []byte("next"), 1)
	entries.write(t, chain)
	page.commands = quiet
	page.next(0).says(t, "unknown-customer")
	page.next(6).says(t, "shop/staging")
}
