package sources_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

const webToken = "a-token-that-no-one-may-see"

// billing is a service with pages of 10 rows.
type billing struct {
	rows   int
	calls  atomic.Int64
	fault  func(call int64, page int, w http.ResponseWriter, r *http.Request) (handled bool)
	change func(page int, rows []map[string]any) []map[string]any
	etag   func(call int64) string
}

func (b *billing) page(n int) (rows []map[string]any) {
	for i := n * 10; i < min(b.rows, n*10+10); i++ {
		rows = append(rows, map[string]any{"repo": map[string]any{"name": fmt.Sprintf("acme/r%d", i)}, "plan": "gold", "seats": i, "tags": []string{"a", "b"}, "paid": true, "none": nil})
	}
	return rows
}

func (b *billing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := b.calls.Add(1)
	page, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	if b.fault != nil && b.fault(call, page, w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+webToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if b.etag != nil && page == 0 {
		etag := b.etag(call)
		if w.Header().Set("ETag", etag); r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	rows := b.page(page)
	if b.change != nil {
		rows = b.change(page, rows)
	}
	next := ""
	if (page+1)*10 < b.rows {
		next = strconv.Itoa(page + 1)
		w.Header().Set("Link", fmt.Sprintf(`<https://elsewhere.invalid/>; rel="first", <?cursor=%s>; title="x"; rel="next"`, next))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"items": rows}, "meta": map[string]any{"next": next, "total": b.rows}})
}

func httpConfig(url string) sourcesync.SourceConfig {
	return sourcesync.SourceConfig{Name: "billing", Type: sourcesync.HTTP, Key: sourcesync.KeyRepository, KeyField: "repo.name", URL: url, TokenEnv: "BILLING_API_KEY", Rows: "data.items", Total: "meta.total",
		Fields: []sourcesync.Field{{From: "plan"}, {From: "seats"}, {From: "tags"}, {From: "paid"}, {From: "none"}}}
}

var webEnviron = map[string]string{"BILLING_API_KEY": webToken, "SERVICENOW_USER": "reader", "SERVICENOW_PASSWORD": webToken}

// TestHTTP reads all pages, by Link, by a cursor and by an address.
func TestHTTP(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sourcesync.SourceConfig){
		"Link":     func(*sourcesync.SourceConfig) {},
		"a cursor": func(c *sourcesync.SourceConfig) { c.Next, c.NextParameter = "meta.next", "cursor" },
		"no total": func(c *sourcesync.SourceConfig) { c.Total = "" },
	} {
		for _, rows := range []int{1, 10, 11, 45} {
			b := &billing{rows: rows, etag: func(int64) string { return `"v1"` }}
			server := httptest.NewServer(b)
			c := httpConfig(server.URL)
			change(&c)
			all, err := read(t, c, options(t.TempDir(), webEnviron))
			server.Close()
			if err != nil || len(all) != rows {
				t.Errorf("%s, %d rows: %d, %v", name, rows, len(all), err)
				continue
			}
			last := all[rows-1]
			if f := last.Fields; last.Key != fmt.Sprintf("acme/r%d", rows-1) || f["plan"].Text != "gold" || f["seats"].Text != strconv.Itoa(rows-1) || f["tags"].Text != `["a","b"]` || f["paid"].Text != "true" || f["none"].Text != "" {
				t.Errorf("%s: %+v", name, last)
			}
		}
	}
}

// TestHTTPFaults: a service that cuts, repeats, lies, changes or sends us elsewhere gives nothing at all, and no error
// shows the address or the token. What passes is asked for again.
func TestHTTPFaults(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("another server was asked, with %v", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	answer := func(w http.ResponseWriter, kind, body string) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}
	onPage := func(page int, do func(http.ResponseWriter)) func(int64, int, http.ResponseWriter, *http.Request) bool {
		return func(_ int64, p int, w http.ResponseWriter, _ *http.Request) bool {
			if p == page {
				do(w)
			}
			return p == page
		}
	}
	status := func(code int) func(http.ResponseWriter) { return func(w http.ResponseWriter) { w.WriteHeader(code) } }
	cut := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "5000")
		answer(w, "application/json", `{"data":`)
	}
	for name, one := range map[string]struct {
		b    *billing
		good bool
	}{
		"cut": {&billing{fault: onPage(1, cut)}, false},
		"cut once": {&billing{fault: func(call int64, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if call == 2 {
				cut(w)
			}
			return call == 2
		}}, true},
		"502": {&billing{fault: onPage(1, status(502))}, false},
		"502 once": {&billing{fault: func(call int64, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if call == 2 {
				w.WriteHeader(502)
			}
			return call == 2
		}}, true},
		"429 once": {&billing{fault: func(call int64, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if call == 1 {
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(429)
			}
			return call == 1
		}}, true},
		"429":       {&billing{fault: onPage(2, status(429))}, false},
		"403":       {&billing{fault: onPage(2, status(403))}, false},
		"204":       {&billing{fault: onPage(1, status(204))}, false},
		"HTML":      {&billing{fault: onPage(1, func(w http.ResponseWriter) { answer(w, "text/html", "<p>log in</p>") })}, false},
		"half JSON": {&billing{fault: onPage(1, func(w http.ResponseWriter) { answer(w, "application/json", `{"data":{"items":[`) })}, false},
		"no list":   {&billing{fault: onPage(1, func(w http.ResponseWriter) { answer(w, "application/json", `{"error":"busy"}`) })}, false},
		"an empty page": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			answer(w, "application/json", `{"data":{"items":[]},"meta":{"total":30}}`)
		})}, false},
		"a name twice": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			answer(w, "application/json", `{"data":{"items":[]},"data":{"items":[]},"meta":{"total":0}}`)
		})}, false},
		"too large": {&billing{fault: onPage(1, func(w http.ResponseWriter) { answer(w, "application/json", `"`+strings.Repeat("x", 17<<20)+`"`) })}, false},
		"a row is missing": {&billing{change: func(page int, rows []map[string]any) []map[string]any {
			if page == 1 {
				return rows[1:]
			}
			return rows
		}}, false},
		"a row is no object": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			answer(w, "application/json", `{"data":{"items":[7]},"meta":{"total":30}}`)
		})}, false},
		"another total": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			answer(w, "application/json", `{"data":{"items":[]},"meta":{"total":31}}`)
		})}, false},
		"no total":          {&billing{fault: onPage(1, func(w http.ResponseWriter) { answer(w, "application/json", `{"data":{"items":[]}}`) })}, false},
		"it changes always": {&billing{etag: func(call int64) string { return fmt.Sprintf(`"v%d"`, call) }}, false},
		"it changes once":   {&billing{etag: func(call int64) string { return fmt.Sprintf(`"v%v"`, call > 2) }}, true},
		"the same page": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			w.Header().Set("Link", `<?cursor=1>; rel=next`)
			answer(w, "application/json", `{"data":{"items":[]},"meta":{"total":30}}`)
		})}, false},
		"a page elsewhere": {&billing{fault: onPage(1, func(w http.ResponseWriter) {
			w.Header().Set("Link", "<"+elsewhere.URL+`>; rel="next"`)
			answer(w, "application/json", `{"data":{"items":[]},"meta":{"total":30}}`)
		})}, false},
		"sent elsewhere":   {&billing{fault: onPage(1, func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(302) })}, false},
		"sent in a circle": {&billing{fault: onPage(1, func(w http.ResponseWriter) { w.Header().Set("Location", "?cursor=1"); w.WriteHeader(302) })}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one.b.rows = 30
			server := httptest.NewServer(one.b)
			defer server.Close()
			c := httpConfig(server.URL + "/api?account=secret-account")
			all, err := read(t, c, options(t.TempDir(), webEnviron))
			if one.good != (err == nil) || one.good != (len(all) == 30) || !one.good && len(all) != 0 {
				t.Errorf("%d rows, %v", len(all), err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret-account") || strings.Contains(err.Error(), webToken)) {
				t.Errorf("the error shows too much: %v", err)
			}
		})
	}
}

// TestHTTPPlaces: a secret goes to an encrypted address alone, and to one whose certificate is trusted.
func TestHTTPPlaces(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(&billing{rows: 3})
	defer server.Close()
	for name, c := range map[string]sourcesync.SourceConfig{
		"not encrypted":     httpConfig("http://billing.example.com/"),
		"with a password":   httpConfig("https://jo:secret@billing.example.com/"),
		"unknown authority": httpConfig(server.URL),
		"no host":           httpConfig("https:///x"),
	} {
		if all, err := read(t, c, options(t.TempDir(), webEnviron)); err == nil || len(all) > 0 || strings.Contains(err.Error(), "jo:secret") {
			t.Errorf("%s: %d rows, %v", name, len(all), err)
		}
	}
	if _, err := read(t, httpConfig(server.URL), options(t.TempDir(), nil)); err == nil || !strings.Contains(err.Error(), "BILLING_API_KEY is not set") {
		t.Errorf("without the token: %v", err)
	}
}

// table is ServiceNow with 25 rows.
type table struct {
	calls  atomic.Int64
	change func(offset int, rows []map[string]any) []map[string]any
	total  func(call int64) string
}

func (s *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := s.calls.Add(1)
	q := r.URL.Query()
	user, secret, _ := r.BasicAuth()
	if r.URL.Path != "/api/now/table/cmdb_ci_service" || q.Get("sysparm_query") != "active=true^ORDERBYsys_id" || q.Get("sysparm_fields") != "u_repo,support,sys_id" || user != "reader" || secret != webToken {
		http.Error(w, r.URL.String(), http.StatusBadRequest)
		return
	}
	offset, _ := strconv.Atoi(q.Get("sysparm_offset"))
	limit, _ := strconv.Atoi(q.Get("sysparm_limit"))
	var rows []map[string]any
	for i := offset; i < min(25, offset+limit); i++ {
		rows = append(rows, map[string]any{"u_repo": fmt.Sprintf("acme/r%d", i), "support": "", "sys_id": fmt.Sprintf("%032d", i)})
	}
	if s.change != nil {
		rows = s.change(offset, rows)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Total-Count", "25")
	if s.total != nil {
		w.Header().Set("X-Total-Count", s.total(call))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"result": rows})
}

// TestServiceNow reads a table in pages; a page that is short, overlaps, or changes its total gives nothing.
func TestServiceNow(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		s    *table
		good bool
	}{
		"whole": {&table{}, true},
		"a short page": {&table{change: func(offset int, rows []map[string]any) []map[string]any {
			if offset == 10 {
				return rows[:8]
			}
			return rows
		}}, false},
		"a short end": {&table{change: func(offset int, rows []map[string]any) []map[string]any {
			if offset == 20 {
				return rows[:4]
			}
			return rows
		}}, false},
		"an overlap": {&table{change: func(offset int, rows []map[string]any) []map[string]any {
			if offset == 10 {
				rows[0]["sys_id"] = fmt.Sprintf("%032d", 3)
			}
			return rows
		}}, false},
		"no id":                {&table{change: func(_ int, rows []map[string]any) []map[string]any { delete(rows[0], "sys_id"); return rows }}, false},
		"no list":              {&table{change: func(int, []map[string]any) []map[string]any { return nil }}, false},
		"no total":             {&table{total: func(int64) string { return "" }}, false},
		"a total that changes": {&table{total: func(call int64) string { return strconv.Itoa(24 + int(call)) }}, false},
		"a total that is less": {&table{total: func(int64) string { return "20" }}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(one.s)
			defer server.Close()
			c := sourcesync.SourceConfig{Name: "cmdb", Type: sourcesync.ServiceNow, Key: sourcesync.KeyRepository, KeyField: "u_repo", URL: server.URL, UserEnv: "SERVICENOW_USER", PasswordEnv: "SERVICENOW_PASSWORD",
				Table: "cmdb_ci_service", Query: "active=true", PageSize: 10, Fields: []sourcesync.Field{{From: "support"}}}
			all, err := read(t, c, options(t.TempDir(), webEnviron))
			if one.good != (err == nil) || !one.good && len(all) != 0 {
				t.Errorf("%d rows, %v", len(all), err)
			}
			if want := 25; name == "whole" && (len(all) != want || one.s.calls.Load() != 3) {
				t.Errorf("%d rows in %d calls", len(all), one.s.calls.Load())
			}
		})
	}
}
