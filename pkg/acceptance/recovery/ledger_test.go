package recovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	w, r := fixture.Deployed(t)
	audit := func(t *testing.T, exit int, dir string, more ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).Do(exit, append([]string{"ledger", "--customer", "shop", "--store", dir}, more...)...)
	}
	audit(t, 0, w.Store, "--verify").Says(t, "shop: no entries", "shop/staging: 8 entries, whole; fits 2 deployments and 2 receipts on GitHub", "requested", "casey", "applied", "shop/production: no entries")
	var printed []ledger.AuditReport
	whole := audit(t, 0, w.Store, "--environment", "staging", "--json")
	_, list, _ := strings.Cut(whole.Log, "\n[") // after the masks
	fixture.Check(t, json.Unmarshal([]byte("["+list), &printed))
	if len(printed) != 1 || len(printed[0].Entries) != 8 || printed[0].Head.Sequence != 8 {
		t.Fatalf("%+v", printed)
	}
	key := fixture.Must(store.NewSealer(fixture.Must(store.ParseKeys(w.Key))(t)...))(t)
	rewritten := func(change func(*ledger.Entry)) func(fixture.Chain) {
		return func(c fixture.Chain) { c.Rewrite(t, key, change) }
	}
	cases := map[string]struct {
		tamper func(fixture.Chain)
		alone  int // exit code without --verify
		says   string
		silent string // what is not said
	}{
		"cut":       {func(c fixture.Chain) { remove(c, 7, 8) }, 0, "the ledger is shorter than its anchor: it has 6 entries, and deployment", "wholly"},
		"gone":      {func(c fixture.Chain) { remove(c, 1, 2, 3, 4, 5, 6, 7, 8) }, 0, "it has 0 entries", "wholly"},
		"missing":   {func(c fixture.Chain) { remove(c, 3) }, 6, "shop/staging/ledger/9999999996-3.json is missing", "wholly"},
		"changed":   {func(c fixture.Chain) { c[2] = bytes.Replace(c[2], []byte("waiting"), []byte("planned"), 1) }, 6, "entry 3 does not follow entry 2", "wholly"},
		"reordered": {func(c fixture.Chain) { c[2], c[3] = c[3], c[2] }, 6, "9999999997-2.json holds entry 3", "wholly"},
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
		}), 0, "entry 8 says that receipt 0000-0000-0000 was applied, and the statuses of request " + r.ID[:8] + " never showed it", "wholly"},
		"without the key": {func(c fixture.Chain) {
			c.Rewrite(t, nil, func(e *ledger.Entry) { e.Actor = strings.Replace(e.Actor, "casey", "mallory", 1) })
		}, 6, "the last entry has no valid signature", "shorter"},
		"another request": {rewritten(func(e *ledger.Entry) {
			if e.Sequence > 4 {
				e.Request = "00000000-0000-4000-8000-000000000000"
			}
		}), 0, "says that request " + r.ID[:8] + " was applied, and the ledger does not", "wholly"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := fixture.ReadChain(t, filepath.Join(w.Store, "shop", "staging", "ledger"))
			c.tamper(entries)
			dir := filepath.Join(t.TempDir(), "store")
			entries.Write(t, filepath.Join(dir, "shop", "staging", "ledger"))
			audit(t, c.alone, dir)
			found := audit(t, 6, dir, "--verify")
			found.Says(t, c.says)
			if strings.Contains(found.Log, c.silent) {
				t.Errorf("it says %q:\n%s", c.silent, found.Log)
			}
		})
	}
}

// TestLedgerAnchorsOfStrangers lets someone of the customer write what looks like
// an anchor: the finding names them.
func TestLedgerAnchorsOfStrangers(t *testing.T) {
	t.Parallel()
	w, r := fixture.Deployed(t)
	head := fixture.Must(w.Customer.Head("main"))(t)
	token := w.Token(hub.Token{Name: "casey's", Kind: hub.FineGrained, User: "casey", Repositories: []string{fixture.CustomerSlug}, Permissions: fixture.Permissions("contents", "deployments")})
	body := fmt.Sprintf(`{"ref":%q,"environment":"infra/staging","auto_merge":false,"required_contexts":[],"payload":{"request":%q,"customer":"shop","environment":"staging","outcome":"applied","outputs":{},"ledger":{"sequence":99,"sha256":%q}}}`, head, r.ID, strings.Repeat("a", 64))
	post := fixture.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.Hub.URL()+"/repos/"+fixture.CustomerSlug+"/deployments", strings.NewReader(body)))(t)
	post.Header.Set("Authorization", "Bearer "+token)
	post.Header.Set("Content-Type", "application/json")
	answer := fixture.Must(http.DefaultClient.Do(post))(t)
	fixture.Check(t, answer.Body.Close())
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("GitHub says %s", answer.Status)
	}
	w.NewJob(r.Run).Do(6, "ledger", "--customer", "shop", "--verify").Says(t, "by casey remembers entry 99")
}

func TestLedgerOfTheFleet(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	genuine := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	before := fixture.ReadChain(t, filepath.Join(w.Store, "shop", "staging", "ledger"))
	forged := forge(w, genuine.Run, func(request, _ map[string]any) { request["repository_id"] = 999 })
	w.NewJob(forged).Do(3, "fetch-vars")
	w.NewJob(forged).Do(0, "ledger").Says(t, "_metapipe: 1 entry, whole", "unknown-customer")
	w.NewJob(forged).Do(0, "ledger", "--customer", "shop").Says(t, "shop: no entries", fmt.Sprintf("shop/staging: %d entry, whole", len(before)))
	w.NewJob(forged).Do(2, "ledger", "--verify").Says(t, "need --customer")
}

func remove(c fixture.Chain, numbers ...int) {
	for _, n := range numbers {
		delete(c, n)
	}
}
