package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// deployed carries two pushes to staging.
func deployed(t *testing.T) (*world, *request) {
	t.Helper()
	w := newWorld(t, nil)
	var r *request
	for _, name := range []string{"shop", "next"} {
		r = w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}))
		p := r.planned("staging")
		r.report()
		r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"])
		r.report("--final")
	}
	return w, r
}

func TestLedger(t *testing.T) {
	t.Parallel()
	w, r := deployed(t)
	audit := func(t *testing.T, exit int, dir string, more ...string) result {
		t.Helper()
		return w.newJob(r.run).do(exit, append([]string{"ledger", "--customer", "shop", "--store", dir}, more...)...)
	}
	audit(t, 0, w.store, "--verify").says(t, "shop: no entries", "shop/staging: 8 entries, whole; fits 2 deployments and 2 receipts on GitHub", "requested", "casey", "applied", "shop/production: no entries")
	var printed []ledger.AuditReport
	whole := audit(t, 0, w.store, "--environment", "staging", "--json")
	_, list, _ := strings.Cut(whole.log, "\n[") // after the masks
	check(t, json.Unmarshal([]byte("["+list), &printed))
	if len(printed) != 1 || len(printed[0].Entries) != 8 || printed[0].Head.Sequence != 8 {
		t.Fatalf("%+v", printed)
	}
	rewritten := func(change func(*ledger.Entry)) func(chain) {
		return func(c chain) { c.rewrite(t, change) }
	}
	cases := map[string]struct {
		tamper func(chain)
		alone  int // exit code without --verify
		says   string
		silent string // what is not said
	}{
		"cut":       {func(c chain) { c.remove(7, 8) }, 0, "the ledger is shorter than its anchor: it has 6 entries, and deployment", "wholly"},
		"gone":      {func(c chain) { c.remove(1, 2, 3, 4, 5, 6, 7, 8) }, 0, "it has 0 entries", "wholly"},
		"missing":   {func(c chain) { c.remove(3) }, 6, "shop/staging/ledger/0000000003.json is missing", "wholly"},
		"changed":   {func(c chain) { c[2] = bytes.Replace(c[2], []byte("waiting"), []byte("planned"), 1) }, 6, "entry 3 does not follow entry 2", "wholly"},
		"reordered": {func(c chain) { c[2], c[3] = c[3], c[2] }, 6, "0000000002.json holds entry 3", "wholly"},
		"another requester": {rewritten(func(e *ledger.Entry) {
			e.Actor = strings.Replace(e.Actor, "casey", "mallory", 1)
		}), 0, "the ledger was rewritten wholly: its chain holds, and fits none of its 2 anchors", "shorter"},
		"another end": {rewritten(func(e *ledger.Entry) {
			if e.Sequence > 6 {
				e.Message = "nothing happened"
			}
		}), 0, "entry 8 is not the one that deployment", "wholly"},
		"another receipt": {rewritten(func(e *ledger.Entry) {
			if e.Sequence > 4 && e.Receipt != "" {
				e.Receipt = strings.Repeat("0", 64)
			}
		}), 0, "entry 8 says that receipt 0000-0000-0000 was applied, and the statuses of request " + r.id[:8] + " never showed it", "wholly"},
		"another request": {rewritten(func(e *ledger.Entry) {
			if e.Sequence > 4 {
				e.Request = "00000000-0000-4000-8000-000000000000"
			}
		}), 0, "says that request " + r.id[:8] + " was applied, and the ledger does not", "wholly"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := readChain(t, filepath.Join(w.store, "shop", "staging", "ledger"))
			c.tamper(entries)
			dir := filepath.Join(t.TempDir(), "store")
			entries.write(t, filepath.Join(dir, "shop", "staging", "ledger"))
			audit(t, c.alone, dir)
			found := audit(t, 6, dir, "--verify")
			found.says(t, c.says)
			if strings.Contains(found.log, c.silent) {
				t.Errorf("it says %q:\n%s", c.silent, found.log)
			}
		})
	}
}

// TestLedgerAnchorsOfStrangers lets somebody of the customer write what looks like
// an anchor: the finding names them.
func TestLedgerAnchorsOfStrangers(t *testing.T) {
	t.Parallel()
	w, r := deployed(t)
	head := must(w.customer.Head("main"))(t)
	token := w.token(hub.Token{Name: "casey's", Kind: hub.FineGrained, User: "casey", Repositories: []string{customerSlug}, Permissions: permissions("contents", "deployments")})
	body := fmt.Sprintf(`{"ref":%q,"environment":"infra/staging","auto_merge":false,"required_contexts":[],"payload":{"request":%q,"customer":"shop","environment":"staging","outcome":"applied","outputs":{},"ledger":{"sequence":99,"sha256":%q}}}`, head, r.id, strings.Repeat("a", 64))
	post := must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.hub.URL()+"/repos/"+customerSlug+"/deployments", strings.NewReader(body)))(t)
	post.Header.Set("Authorization", "Bearer "+token)
	post.Header.Set("Content-Type", "application/json")
	answer := must(http.DefaultClient.Do(post))(t)
	check(t, answer.Body.Close())
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("GitHub says %s", answer.Status)
	}
	w.newJob(r.run).do(6, "ledger", "--customer", "shop", "--verify").says(t, "by casey remembers entry 99")
}

func TestLedgerOfTheFleet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	genuine := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	before := readChain(t, filepath.Join(w.store, "shop", "staging", "ledger"))
	forged := w.forge(genuine.run, func(request, _ map[string]any) { request["repository_id"] = 999 })
	w.newJob(forged).do(3, "fetch-vars")
	w.newJob(forged).do(0, "ledger").says(t, "_metapipe: 1 entry, whole", "unknown-customer")
	w.newJob(forged).do(0, "ledger", "--customer", "shop").says(t, "shop: no entries", fmt.Sprintf("shop/staging: %d entry, whole", len(before)))
	w.newJob(forged).do(2, "ledger", "--verify").says(t, "need --customer")
}

// chain are the entries of a ledger by their numbers.
type chain map[int][]byte

func readChain(t *testing.T, dir string) chain {
	t.Helper()
	c := chain{}
	for n := 1; ; n++ {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%010d.json", n)))
		if os.IsNotExist(err) {
			return c
		}
		check(t, err)
		c[n] = b
	}
}

func (c chain) write(t *testing.T, dir string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	for n, b := range c {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%010d.json", n)), b, 0o600))
	}
}

func (c chain) remove(numbers ...int) {
	for _, n := range numbers {
		delete(c, n)
	}
}

// rewrite changes entries and chains them anew, as somebody would who knows how.
func (c chain) rewrite(t *testing.T, change func(*ledger.Entry)) {
	t.Helper()
	previous := ""
	for n := 1; n <= len(c); n++ {
		var e ledger.Entry
		check(t, json.Unmarshal(c[n], &e))
		change(&e)
		e.Previous = previous
		c[n] = must(json.Marshal(e))(t)
		sum := sha256.Sum256(c[n])
		previous = hex.EncodeToString(sum[:])
	}
}
