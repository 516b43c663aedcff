package recovery

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestRecoverLeakedToken plays the page about a leaked token: someone has sent a request
// that no run has signed, and has rewritten a ledger and replaced a state with the keys
// of the bucket.
func TestRecoverLeakedToken(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Deployed(fixture.VariablesYML)
	page := fixture.RecoveryPage(t, "A token has leaked", "NAME", "shop")
	plays(w, r.Run, page)
	quiet := append([]string(nil), page.Commands...)
	page.Next(0).Says(t, "no request without a verified origin is on record")
	page.Next(0).Says(t, "shop/staging: ", "whole; fits")
	page.Next(0).Says(t, "shop/staging", "free")
	page.Next(0).Says(t, "shop/staging: clean")
	page.Done()

	forged := forge(w, r.Run, func(request, _ map[string]any) { request["repository_id"] = 999 })
	w.NewJob(forged).Do(3, "fetch-vars")
	chain := filepath.Join(w.Store, "shop", "staging", "ledger")
	entries := fixture.ReadChain(t, chain)
	entries[2] = bytes.Replace(entries[2], []byte("shop"), []byte("next"), 1)
	entries.Write(t, chain)
	page.Commands = quiet
	page.Next(0).Says(t, "unknown-customer")
	page.Next(6).Says(t, "shop/staging")
}
