package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// registry is a manager with files in customers/.
func registry(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["../"+ManagerFile] = "environments: [{name: staging}, {name: production, gated: true}]\n"
	files["../"+DefaultRoot+"/main.tf"] = ""
	for name, text := range files {
		file := filepath.Join(dir, CustomersDir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOneCustomerOfAThousand: the number of parsed files does not grow with the
// number of customers.
func TestOneCustomerOfAThousand(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("c%03d.yml", i)] = fmt.Sprintf("repository: northwind/c%03d\nrepository_id: %d\n", i, 70000000+i)
	}
	dir := registry(t, files)
	c, problems, parsed := loadCustomer(dir, "c417")
	if problems.Err() != nil || !slices.Equal(parsed, []string{"c417.yml"}) || len(c.Customers) != 1 || c.Customers[0].RepositoryID != 70000417 {
		t.Fatalf("parsed %v: %v, %v", parsed, c.Customers, problems)
	}
	if c, problems := Load(dir); problems.Err() != nil || len(c.Customers) != 1000 {
		t.Errorf("%d customers, %v", len(c.Customers), problems)
	}
}

// TestOneCustomerHasItsSiblings: whoever lives in the same repository is found in
// every spelling of its id, and rules between the two hold.
func TestOneCustomerHasItsSiblings(t *testing.T) {
	t.Parallel()
	own := "repository: northwind/mono\nrepository_id: 1200\npath: a\n"
	for name, other := range map[string]string{
		"plain":    "repository: northwind/mono\nrepository_id: 1200\npath: b\n",
		"exponent": "repository: northwind/mono\nrepository_id: 12.0e2\npath: b\n",
		"flow":     "{repository: northwind/mono, repository_id: 1200, path: b}\n",
		"key":      "repository: northwind/mono\n\"repository\\u005fid\": 1200\npath: b\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := registry(t, map[string]string{"one.yml": own, "two.yml": other, "far.yml": "repository: a/b\nrepository_id: 9\n"})
			whole, wrong := Load(dir)
			c, problems, parsed := loadCustomer(dir, "one")
			want, _ := whole.Customer("one")
			got, ok := c.Customer("one")
			if !ok || !got.SharedRepository || got.SharedRepository != want.SharedRepository || !slices.Equal(got.Siblings, []pipeline.Sibling{{Name: "two", Path: "b"}}) || !slices.Equal(got.Siblings, want.Siblings) || (problems.Err() == nil) != (wrong.Err() == nil) || slices.Contains(parsed, "far.yml") {
				t.Errorf("parsed %v, siblings %v; want %v\n%v\n%v", parsed, got.SharedRepository, want.SharedRepository, problems, wrong)
			}
		})
	}
	t.Run("one path twice", func(t *testing.T) {
		t.Parallel()
		dir := registry(t, map[string]string{"one.yml": own, "two.yml": own})
		if _, problems := LoadCustomer(dir, "one"); problems.Err() == nil {
			t.Error("two customers with one path are accepted")
		}
	})
}

// TestOneCustomerAmongBrokenFiles: a mistake of someone else stops only who reads
// all files; the customer's own stops everybody.
func TestOneCustomerAmongBrokenFiles(t *testing.T) {
	t.Parallel()
	good, bad := "repository: northwind/shop\nrepository_id: 4711\n", "repository: [northwind\n"
	dir := registry(t, map[string]string{"shop.yml": good, "crm.yml": bad, "Stray.txt": ""})
	if c, problems := LoadCustomer(dir, "shop"); problems.Err() != nil || len(c.Customers) != 1 {
		t.Errorf("another customer's file counts: %v", problems)
	}
	for _, name := range []pipeline.CustomerName{"crm", "nobody", "", "../shop", "Shop"} {
		if _, problems := LoadCustomer(dir, name); problems.Err() == nil {
			t.Errorf("%q: the mistake is not seen", name)
		}
	}
	if _, problems := Load(dir); problems.Err() == nil {
		t.Error("Load sees no mistake")
	}
	if err := os.WriteFile(filepath.Join(dir, ManagerFile), []byte("environments: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := LoadCustomer(dir, "shop"); problems.Err() == nil {
		t.Error("a mistake in metapipe.yml is not seen")
	}
}

func BenchmarkLoadCustomer(b *testing.B) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("c%03d.yml", i)] = fmt.Sprintf("repository: northwind/c%03d\nrepository_id: %d\n", i, 70000000+i)
	}
	dir := registry(b, files)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			_, _ = LoadCustomer(dir, "c417")
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			_, _ = Load(dir)
		}
	})
}
