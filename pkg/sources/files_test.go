package sources

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

func table(kind sourcesync.Type) sourcesync.SourceConfig {
	return sourcesync.SourceConfig{Type: kind, Key: sourcesync.KeyRepository, KeyField: "repo", Path: "x", Fields: []sourcesync.Field{{From: "plan"}, {From: "plan"}}}
}

// TestCSV reads what spreadsheets write, and refuses what could be read in two ways.
func TestCSV(t *testing.T) {
	t.Parallel()
	const good = "\ufeffplan,note,repo\r\ngold,\"two\nlines, \"\"quoted\"\"\",acme/a\r\n\r\n,,acme/b\r\n"
	all, err := parseCSVFile(t, good)
	if err != nil || len(all) != 2 || all[0].Key != "acme/a" || all[0].Fields["plan"].Text != "gold" || all[1].Where != "line 5" || all[1].Fields["plan"].Text != "" {
		t.Errorf("%+v, %v", all, err)
	}
	for name, raw := range map[string]string{
		"nothing": "", "no column": "repo,tier\na,b\n", "a column twice": "repo,plan,plan\na,b,c\n", "a short line": "repo,plan\nacme/a\n", "a long line": "repo,plan\nacme/a,b,c\n",
		"an open quote": "repo,plan\nacme/a,\"gold\n", "a quote inside": "repo,plan\nacme/a,go\"ld\n", "not UTF-8": "repo,plan\nacme/a,\xff\n",
	} {
		if all, err := parseCSVFile(t, raw); err == nil || len(all) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func parseCSVFile(t *testing.T, raw string) ([]sourcesync.Record, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return readCSV(table(sourcesync.CSV), dir)
}

// TestJSON reads a list anywhere in a document, and refuses what could be read in two ways.
func TestJSON(t *testing.T) {
	t.Parallel()
	c := table(sourcesync.JSON)
	c.Rows, c.Fields[1].From = "a.rows", "more.deep"
	all, err := parseJSON(c, []byte("{\"a\":{\"rows\":[{\"repo\":\"acme/a\",\"plan\":12345678901234567890,\"more\":{\"deep\":true},\"x\":1},{\"repo\":7,\"more.deep\":[\"q\"]}]}}"), "")
	if err != nil || len(all) != 2 || all[0].Fields["plan"].Text != "12345678901234567890" || all[0].Fields["more.deep"].Text != "true" || all[1].Key != "7" || all[1].Fields["more.deep"].Text != `["q"]` {
		t.Errorf("%+v, %v", all, err)
	}
	for name, raw := range map[string]string{
		"nothing": "", "no list": `{"a":{"rows":{}}}`, "elsewhere": `{"rows":[]}`, "a row that is none": `{"a":{"rows":[null]}}`, "a name twice": `{"a":{"rows":[{"repo":"acme/a","repo":"acme/b"}]}}`,
		"two documents": `{"a":{"rows":[]}} {}`, "an object": `{"a":{"rows":[{"repo":{}}]}}`, "a list of lists": `{"a":{"rows":[{"plan":[[]]}]}}`, "cut": `{"a":{"rows":[{"repo":"acme/a"}`,
	} {
		if all, err := parseJSON(c, []byte(raw), ""); err == nil || len(all) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// TestFilesStayBelow: a file outside of the manager directory, or one that is too large, is not read.
func TestFilesStayBelow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	for name, do := range map[string]func(string) error{
		"link":      func(p string) error { return os.Symlink(outside, p) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"missing":   func(string) error { return nil },
		"large":     func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", 2000)), 0o600) },
	} {
		if err := do(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if raw, err := readFile(dir, name, 1000); err == nil || strings.Contains(err.Error(), outside) {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
	}
}

// TestTeams: the owner is the only team with admin, else the only one with maintain.
func TestTeams(t *testing.T) {
	t.Parallel()
	web := compliance.Team{Slug: "web", Permissions: map[int64]compliance.Permission{1: compliance.Admin, 2: compliance.Maintain, 3: compliance.Admin, 4: compliance.Write, 5: compliance.Maintain}}
	shop := compliance.Team{Slug: "shop", Permissions: map[int64]compliance.Permission{1: compliance.Maintain, 3: compliance.Admin, 5: compliance.Maintain}}
	o := Options{Organizations: []string{"acme"}, Teams: func(context.Context, string) ([]compliance.Team, error) { return []compliance.Team{web, shop}, nil }}
	all, err := readTeams(t.Context(), o)
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprintf("%s=%s%s", r.Key, r.Fields[OwnerField].Text, r.Fields[OwnerField].Unclear))
	}
	want := "1=web 2=web 3=2 teams have admin: shop, web 4= 5=2 teams have maintain: shop, web"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v\n got %s\nwant %s", err, strings.Join(got, " "), want)
	}
}

// FuzzRows: no file panics a reader, and what is accepted has a row for each line or item.
func FuzzRows(f *testing.F) {
	for _, raw := range []string{"repo,plan\nacme/a,gold\n", "\ufeffrepo,plan\n\"a\nb\",c\n", `[{"repo":"acme/a","plan":"gold"}]`, `[{"repo":1,"plan":[true]}]`, `{"a":[]}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, parse := range []func() ([]sourcesync.Record, error){
			func() ([]sourcesync.Record, error) { return parseCSV(table(sourcesync.CSV), raw) },
			func() ([]sourcesync.Record, error) { return parseJSON(table(sourcesync.JSON), raw, "") },
		} {
			all, err := parse()
			if err != nil && len(all) > 0 {
				t.Errorf("%d rows beside %v", len(all), err)
			}
			for _, r := range all {
				if r.Where == "" || r.Fields == nil {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}
