package spacelift_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

// FuzzRequest: whatever is sent, the answer is JSON with data or errors, and is no panic.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][2]string{
		{loginQuery, `{"id":"ops","secret":"ops-secret"}`},
		{`query($i: SearchInput!){ searchStacks(input: $i){ edges { node { ...s } } pageInfo { endCursor } } } fragment s on Stack { id dependsOn { stack { id } } }`, `{"i":{"first":1e0,"predicates":{"field":"label","constraint":{"stringMatches":"x"}}}}`},
		{`mutation($c: ConfigInput!){ stackConfigAdd(stack: "a", config: $c){ id } }`, `{"c":{"id":1,"type":"FILE_MOUNT","value":"YQ==","writeOnly":false}}`},
		{`mutation{ contextAttach(id: "c", stack: "a", priority: 99999999999999999999){ id } }`, `null`},
		{`query($a: Boolean = true){ stack(id: 1){ id @skip(if: $a) vendorConfig { __typename } run(id: "x"){ id } runs(before: ""){ id } } }`, `{}`},
		{`{ __schema { types { name } } __typename }`, ``},
		{`mutation($t: RunType){ runTrigger(stack: "a", runType: $t, runtimeConfig: {environment: {key: "A", value: "1"}}){ id history { state } } runDiscardAll(stack: "a"){ discardedRuns { id } } stackDelete(id: "a", destroyResources: true){ deleting } }`, `{"t":"TRACKED"}`},
		{`mutation($n: String!){ spaceCreate(input: {name: $n, parentSpace: "root", inheritEntities: true}){ id } }`, `{"n":"\u0000"}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, query, variables string) {
		s := spacelift.New(func() time.Time { return time.Unix(1_800_000_000, 0) })
		s.AddKey("ops", "ops-secret", spacelift.Rights{Admin: true})
		s.AddContext("c", "C", "root", "autoattach:*")
		token := ""
		post := func(query, variables string) *httptest.ResponseRecorder {
			body := map[string]any{"query": query}
			if json.Valid([]byte(variables)) {
				body["variables"] = json.RawMessage(variables)
			}
			raw, err := json.Marshal(body)
			good(t, err)
			req := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(raw)))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+token)
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			return rec
		}
		var login struct {
			Data struct{ APIKeyUser struct{ JWT string } }
		}
		good(t, json.Unmarshal(post(loginQuery, `{"id":"ops","secret":"ops-secret"}`).Body.Bytes(), &login))
		token = login.Data.APIKeyUser.JWT
		in, err := json.Marshal(vars{"input": stackInput("a", vars{"space": "root"}), "manageState": false})
		good(t, err)
		post(createQuery, string(in))
		s.Push("acme/manager", "main", sha1)
		rec := post(query, variables)
		var out map[string]json.RawMessage
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if string(out["data"]) == "null" && len(out["errors"]) == 0 {
			t.Errorf("neither data nor errors: %s", rec.Body)
		}
		for range 12 {
			s.Step()
		}
	})
}
