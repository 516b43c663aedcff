package sources_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/sources"
	"github.com/metapipe/metapipe/pkg/sources/slapdtest"
)

// read reads a source as a whole.
func read(t *testing.T, c sourcesync.SourceConfig, o sources.Options) (all []sourcesync.Record, err error) {
	t.Helper()
	s, err := sources.New(c, o)
	if err != nil {
		return nil, err
	}
	for r, err := range s.Records(t.Context()) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// options have an environment, and pauses that take no time.
func options(dir string, environ map[string]string) sources.Options {
	return sources.Options{Dir: dir, UserAgent: "test", Lookup: func(name string) (string, bool) { v, ok := environ[name]; return v, ok },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func configOf(s *slapdtest.Server) sourcesync.SourceConfig {
	return sourcesync.SourceConfig{Name: "people", Type: sourcesync.LDAP, Key: sourcesync.KeyID, KeyField: "employeeNumber", URL: "ldaps://" + s.Secure, CAFile: "ca.pem",
		BindDN: slapdtest.ReaderDN, PasswordEnv: "LDAP_PASSWORD", Base: "ou=people," + slapdtest.Suffix, Filter: "(objectClass=inetOrgPerson)", Fields: []sourcesync.Field{{Property: "security_contact", From: "mail"}}}
}

// TestDirectory reads a real directory server with 1,200 people: whole, or not at all.
func TestDirectory(t *testing.T) {
	t.Parallel()
	s := slapdtest.Start(t)
	o := options(s.Dir, map[string]string{"LDAP_PASSWORD": slapdtest.Password, "WRONG": "not the password"})
	for name, change := range map[string]func(*sourcesync.SourceConfig){
		"ldaps":                func(*sourcesync.SourceConfig) {},
		"start_tls":            func(c *sourcesync.SourceConfig) { c.URL, c.StartTLS = "ldap://"+s.Plain, true },
		"on this machine":      func(c *sourcesync.SourceConfig) { c.URL, c.CAFile = "ldap://"+s.Plain, "" },
		"pages of 7":           func(c *sourcesync.SourceConfig) { c.PageSize = 7 },
		"a page for all":       func(c *sourcesync.SourceConfig) { c.PageSize = 5000 },
		"pages of at most 100": func(c *sourcesync.SourceConfig) { c.BindDN, c.PageSize = slapdtest.PagedDN, 100 },
		"another spelling":     func(c *sourcesync.SourceConfig) { c.KeyField, c.Fields[0].From = "EMPLOYEENUMBER", "MAIL" },
	} {
		c := configOf(s)
		change(&c)
		all, err := read(t, c, o)
		if err != nil || len(all) != slapdtest.People {
			t.Errorf("%s: %d records, %v", name, len(all), err)
			continue
		}
		slices.SortFunc(all, func(a, b sourcesync.Record) int { return strings.Compare(a.Key, b.Key) })
		if last := all[slapdtest.People-1]; last.Key != "6199" || last.Fields[c.Fields[0].From].Text != "p1199@example.com" {
			t.Errorf("%s: %+v", name, last)
		}
	}
	for name, one := range map[string]struct {
		change func(*sourcesync.SourceConfig)
		want   string
	}{
		"500 entries and error 4":   {func(c *sourcesync.SourceConfig) { c.BindDN = slapdtest.LimitedDN }, "Size Limit Exceeded"},
		"the same on one page":      {func(c *sourcesync.SourceConfig) { c.BindDN, c.PageSize = slapdtest.LimitedDN, 5000 }, "Size Limit Exceeded"},
		"a wrong password":          {func(c *sourcesync.SourceConfig) { c.PasswordEnv = "WRONG" }, "Invalid Credentials"},
		"no password":               {func(c *sourcesync.SourceConfig) { c.PasswordEnv = "NOWHERE" }, "NOWHERE is not set"},
		"no one":                    {func(c *sourcesync.SourceConfig) { c.BindDN, c.PasswordEnv = "", "" }, "No Such Object"},
		"a base that is not there":  {func(c *sourcesync.SourceConfig) { c.Base = "ou=nowhere," + slapdtest.Suffix }, "No Such Object"},
		"a filter that is none":     {func(c *sourcesync.SourceConfig) { c.Filter = "(uid=" }, "filter"},
		"a foreign certificate":     {func(c *sourcesync.SourceConfig) { c.CAFile = "" }, "certificate"},
		"another name":              {func(c *sourcesync.SourceConfig) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }, "certificate"},
		"a value that is no text":   {func(c *sourcesync.SourceConfig) { c.Fields[0].From = "jpegPhoto" }, "is no text"},
		"a group that is hidden":    {func(c *sourcesync.SourceConfig) { c.MembersOf = "cn=broken,ou=groups," + slapdtest.Suffix }, "secret"},
		"a group that is not there": {func(c *sourcesync.SourceConfig) { c.MembersOf = "cn=none,ou=groups," + slapdtest.Suffix }, "cn=none"},
	} {
		c := configOf(s)
		one.change(&c)
		all, err := read(t, c, o)
		if err == nil || len(all) != 0 || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(one.want)) || strings.Contains(err.Error(), slapdtest.Password) {
			t.Errorf("%s: %d records, %v, want %q", name, len(all), err, one.want)
		}
	}
	groups(t, s, o)
	interrupted(t, s, o)
}

// groups: members of groups in groups count, also where those lie in a circle and names are written differently.
func groups(t *testing.T, s *slapdtest.Server, o sources.Options) {
	t.Helper()
	c := configOf(s)
	c.MembersOf = "CN=owners, ou=groups," + slapdtest.Suffix
	c.Fields[0].From = "ou"
	all, err := read(t, c, o)
	var keys []string
	for _, r := range all {
		keys = append(keys, r.Key)
	}
	slices.Sort(keys)
	if err != nil || fmt.Sprint(keys) != "[5001 5002 5003 5004]" {
		t.Errorf("members: %v, %v", keys, err)
	}
	c.MembersOf = ""
	all, err = read(t, c, o)
	i := slices.IndexFunc(all, func(r sourcesync.Record) bool { return r.Key == "5007" })
	if err != nil || i < 0 || all[i].Fields["ou"].Text != `["web","shop"]` {
		t.Errorf("a list: %v", err)
	}
}

// interrupted: a connection that ends at any place is read again from the beginning, with nothing of the former one;
// one that always ends is an error.
func interrupted(t *testing.T, s *slapdtest.Server, o sources.Options) {
	t.Helper()
	c := configOf(s)
	c.CAFile, c.PageSize = "", 100
	for _, cut := range []int64{1, 300, 5000, 40_000, 90_000} {
		for _, once := range []bool{true, false} {
			proxy := cutting(t, s.Plain, cut, once)
			c.URL = "ldap://" + proxy
			all, err := read(t, c, o)
			if once && (err != nil || len(all) != slapdtest.People) || !once && (err == nil || len(all) != 0) {
				t.Errorf("cut after %d bytes, once %v: %d records, %v", cut, once, len(all), err)
			}
			seen := map[string]bool{}
			for _, r := range all {
				seen[r.Key] = true
			}
			if once && len(seen) != slapdtest.People {
				t.Errorf("cut after %d bytes: %d people", cut, len(seen))
			}
		}
	}
	slow := cutting(t, s.Plain, 1<<30, false)
	c.URL = "ldap://" + slow
	if err := s.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	if all, err := read(t, c, o); err == nil || len(all) != 0 {
		t.Errorf("a server that was killed: %d records, %v", len(all), err)
	}
}

// cutting passes connections on and ends them after so many bytes of the server: the first one, or each.
func cutting(t *testing.T, to string, most int64, once bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var count atomic.Int64
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			limit := most
			if count.Add(1) > 1 && once {
				limit = 1 << 30
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.CopyN(in, out, limit)
			}()
		}
	}()
	return l.Addr().String()
}
