package content_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/content"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// tree makes a checkout: names that end in / are directories, a -> b is a link.
func tree(t testing.TB, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range append([]string{".git/HEAD"}, names...) {
		name, to, link := strings.Cut(name, " -> ")
		abs := filepath.Join(root, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(abs), 0o755))
		switch {
		case link:
			must(t, os.Symlink(to, abs))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(abs, 0o755))
		default:
			must(t, os.WriteFile(abs, nil, 0o644))
		}
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const property = "repo_content_type"

func list(items ...string) pipeline.Property {
	return pipeline.Property{Form: pipeline.PropertyList, List: items}
}

func one(s string) pipeline.Property {
	return pipeline.Property{Form: pipeline.PropertyText, Text: s}
}

func run(t testing.TB, c content.Check, dir string) pipeline.ContentResult {
	t.Helper()
	if c.Rules.Types == nil {
		c.Rules = pipeline.DefaultContentRules()
	}
	if c.Path == "" {
		c.Path = "infra"
	}
	result, err := c.Run(context.Background(), dir)
	must(t, err)
	return result
}

func findings(r pipeline.ContentResult) []string {
	found := []string{}
	for _, p := range r.Problems {
		found = append(found, p.Rule+" "+p.File)
	}
	return found
}

// TestContentTypes: the layouts that users have, each with the type that fits and those
// that do not.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	monorepo := []string{"app/main.go", "infra/variables.yml", "infra/README.md", "infra/docs/sizes.md", "README.md", ".github/workflows/trigger-infra.yml"}
	infraOnly := []string{"infra/variables.yml", "README.md"}
	appOnly := []string{"src/main.go", "README.md"}
	manifests := []string{"k8s/deployment.yml", "README.md"}
	library := []string{"lib/x.go", "go.mod"}
	dockerfile := []string{"Dockerfile", ".github/workflows/ci.yml"}
	none := []string{}
	for name, c := range map[string]struct {
		files []string
		value pipeline.Property
		want  []string
	}{
		"monorepo":           {monorepo, list("app", "infra"), none},
		"monorepo as both":   {monorepo, one("both"), none},
		"monorepo, unset":    {monorepo, pipeline.Property{}, none},
		"monorepo as infra":  {monorepo, list("infra"), []string{"content-mismatch app/main.go"}},
		"monorepo as app":    {monorepo, one("app"), []string{"content-forbidden infra/README.md", "content-forbidden infra/docs/sizes.md", "content-forbidden infra/variables.yml"}},
		"infra only":         {infraOnly, one("infra"), none},
		"infra only as both": {infraOnly, one("both"), []string{"content-mismatch property repo_content_type"}},
		"app only":           {appOnly, list("app"), none},
		"app only as both":   {appOnly, one("both"), []string{"content-missing infra/variables.yml", "content-mismatch property repo_content_type"}},
		"app only as infra":  {appOnly, one("infra"), []string{"content-missing infra/variables.yml", "content-mismatch src/main.go", "content-mismatch property repo_content_type"}},
		"manifests as app":   {manifests, one("app"), []string{"content-mismatch k8s/deployment.yml"}},
		"manifests as infra": {manifests, one("infra"), []string{"content-missing infra/variables.yml"}},
		"library":            {library, one("app"), none},
		"only a Dockerfile":  {dockerfile, one("app"), none},
		"nothing":            {nil, one("app"), none},
		"neither":            {monorepo, list(), none},
		"code of the provider": {append(monorepo, "app/x/main.tf", "infra/net.tf", "infra/x.auto.tfvars"), one("both"),
			[]string{"content-forbidden app/x/main.tf", "content-forbidden infra/net.tf", "content-forbidden infra/x.auto.tfvars"}},
		"code of others": {append(monorepo, "app/node_modules/x/main.tf", "vendor/y/main.tf"), one("both"), none},
		"hidden in the path": {append(monorepo, "infra/vendor/main.tf", "infra/node_modules/x/y.tf"), one("both"),
			[]string{"content-forbidden infra/node_modules/x/y.tf", "content-forbidden infra/vendor/main.tf"}},
		"unknown type": {monorepo, list("app", "Infra"), []string{"content-property property repo_content_type"}},
		"unknown form": {monorepo, pipeline.Property{Form: pipeline.PropertyOther}, []string{"content-property property repo_content_type"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, content.Check{Name: property, Value: c.value}, tree(t, c.files...))
			if diff := cmp.Diff(c.want, findings(got)); diff != "" || got.Unknown != "" {
				t.Errorf("%s%s", diff, got.Unknown)
			}
			for _, p := range got.Problems {
				if !p.Warning || p.Message == "" || p.Remedy == "" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

// TestTreeOfAnAttacker: what hides files under the path, or makes them be read from
// elsewhere, is a finding whatever the type is; outside of the path it is none.
func TestTreeOfAnAttacker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  []string
	}{
		"link to a file":            {[]string{"infra/variables.yml -> ../app/x.yml"}, []string{"content-link infra/variables.yml"}},
		"loop":                      {[]string{"infra/variables.yml", "infra/up -> ..", "infra/self -> self"}, []string{"content-link infra/self", "content-link infra/up"}},
		"link out of the checkout":  {[]string{"infra/etc -> /etc"}, []string{"content-link infra/etc"}},
		"the path is a link":        {[]string{"infra -> elsewhere", "elsewhere/variables.yml"}, []string{"content-link infra"}},
		"a link elsewhere":          {[]string{"infra/variables.yml", "app/up -> ..", "app/etc -> /etc"}, []string{}},
		"submodule":                 {[]string{"infra/mod/.git", "infra/mod/main.tf"}, []string{"content-submodule infra/mod"}},
		"submodule, not fetched":    {[]string{"infra/mod/"}, []string{"content-submodule infra/mod"}},
		"the path is a submodule":   {[]string{"infra/"}, []string{"content-submodule infra"}},
		"a checkout of a step":      {[]string{"infra/variables.yml", "tools/.git/HEAD", "tools/infra.tf"}, []string{}},
		"an empty folder of a step": {[]string{"infra/variables.yml", "out/"}, []string{}},
		"case":                      {[]string{"infra/variables.yml", "infra/Variables.yml"}, []string{"content-case infra/variables.yml"}},
		"case of the path":          {[]string{"infra/variables.yml", "Infra/variables.yml"}, []string{"content-case infra"}},
		"Unicode forms":             {[]string{"infra/\u00e9.md", "infra/e\u0301.md"}, []string{"content-case infra/\u00e9.md"}},
		"case elsewhere":            {[]string{"infra/variables.yml", "app/a", "app/A"}, []string{}},
		"odd names": {[]string{"infra/a\n::error::x -> y", "infra/\xff\xfe -> y", "infra/\u202e -> y"},
			[]string{`content-link "infra/a\n::error::x"`, `content-link "infra/\u202e"`, `content-link "infra/\xff\xfe"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := pipeline.DefaultContentRules()
			rules.Enforce = true
			got := run(t, content.Check{Rules: rules}, tree(t, c.files...))
			if diff := cmp.Diff(c.want, findings(got)); diff != "" || got.Unknown != "" {
				t.Errorf("%s%s", diff, got.Unknown)
			}
			if got.Fails() != (len(c.want) > 0) {
				t.Errorf("fails: %v", got.Fails())
			}
		})
	}
}

// TestPathOfAShare: a path of several names is guarded as a whole.
func TestPathOfAShare(t *testing.T) {
	t.Parallel()
	dir := tree(t, "services/shop/variables.yml", "services/Shop/variables.yml", "services/blog/a", "services/blog/A", "services/blog/x -> y", "app/a", "Services/x", "infra/x.md")
	got := run(t, content.Check{Path: "services/shop"}, dir)
	if diff := cmp.Diff([]string{"content-case services", "content-case services/shop"}, findings(got)); diff != "" {
		t.Error(diff)
	}
	dir = tree(t, "services -> elsewhere", "elsewhere/shop/variables.yml")
	got = run(t, content.Check{Path: "services/shop"}, dir)
	if diff := cmp.Diff([]string{"content-link services"}, findings(got)); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownIsNotFine: what could not be read whole is no judgment about what is missing,
// and fails where the rules are enforced.
func TestUnknownIsNotFine(t *testing.T) {
	t.Parallel()
	rules := pipeline.DefaultContentRules()
	check := func(why, dir string, c content.Check, state pipeline.StatusState) {
		t.Helper()
		c.Rules, c.Name, c.Value = rules, property, one("both")
		got := run(t, c, dir)
		if !strings.Contains(got.Unknown, why) || len(got.Problems) > 0 || got.Fails() != rules.Enforce {
			t.Errorf("%+v", got)
		}
		if s, text := got.Status(); s != state || !strings.Contains(text, "Not known: ") {
			t.Errorf("%s %q", s, text)
		}
	}
	deep := deepTree(t)
	check(`cannot read "x`, deep, content.Check{}, pipeline.StatusSuccess)
	check("more than 5 files", tree(t, "a", "b", "c", "d", "e"), content.WithLimit(content.Check{}, 5), pipeline.StatusSuccess)
	rules.Enforce = true
	check(`cannot read "x`, deep, content.Check{}, pipeline.StatusError)
	check("the event does not say", tree(t, "a"), content.Check{Unread: "the event does not say"}, pipeline.StatusError)
	if os.Geteuid() != 0 {
		locked := tree(t, "a", "app/locked/x")
		must(t, os.Chmod(filepath.Join(locked, "app/locked"), 0))
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(locked, "app/locked"), 0o755) })
		check("cannot read app/locked", locked, content.Check{}, pipeline.StatusError)
	}
}

// deepTree has a directory whose path is longer than what can be opened.
func deepTree(t *testing.T) string {
	t.Helper()
	dir := tree(t)
	root, err := os.OpenRoot(dir)
	must(t, err)
	name := strings.Repeat("x", 200)
	for range 30 {
		must(t, root.Mkdir(name, 0o755))
		next, err := root.OpenRoot(name)
		must(t, err)
		must(t, root.Close())
		root = next
	}
	must(t, root.Close())
	return dir
}

// TestFindingsAreBounded: a tree of nothing but findings is counted, and the kept ones are
// the same in each run.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 500 {
		files = append(files, fmt.Sprintf("infra/%03d.tf", i))
	}
	got := run(t, content.Check{Name: property, Value: one("infra")}, tree(t, append(files, "infra/variables.yml")...))
	if len(got.Problems) != 100 || got.More != 400 || got.Problems[99].File != "infra/099.tf" {
		t.Errorf("%d and %d more, %v", len(got.Problems), got.More, got.Problems[len(got.Problems)-1])
	}
	if _, text := got.Status(); !strings.Contains(text, "infra/000.tf") || !strings.Contains(text, "(+499 more)") || len(text) > 140 {
		t.Errorf("%q", text)
	}
}

// TestStopped: a stop ends the look at the tree.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (content.Check{Rules: pipeline.DefaultContentRules(), Path: "infra"}).Run(ctx, tree(t)); err == nil {
		t.Error("no error")
	}
}
