package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"mono/services/web/variables.yml", "two/services/web/variables.yml", "two/services/api/variables.yml"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o700), os.WriteFile(filepath.Join(dir, file), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	customer := func(name, repository, path string) pipeline.Customer {
		slug, err := pipeline.ParseSlug(repository)
		if err != nil {
			t.Fatal(err)
		}
		return pipeline.Customer{Name: pipeline.CustomerName(name), Repository: slug, Path: path, File: customerFile(name + ".yml")}
	}
	fleet := Config{Customers: []pipeline.Customer{customer("api", "acme/mono", "services/api"), customer("reports", "acme/reports", "infra"), customer("web", "acme/mono", "services/web")}}
	one := Config{Customers: fleet.Customers[1:2]}
	for name, c := range map[string]struct {
		config Config
		given  Checkout
		want   string // "" : none; "!…": a mistake that says so
	}{
		"by name":                       {fleet, Checkout{Dir: "/x/web", Name: "reports"}, "as customer reports (customers/reports.yml)"},
		"by remote":                     {fleet, Checkout{Dir: "/x/web", Remote: pipeline.Slug{Owner: "Acme", Name: "Reports"}}, "as customer reports (customers/reports.yml): its remote is acme/reports"},
		"by directory":                  {fleet, Checkout{Dir: "/x/reports"}, "as customer reports (customers/reports.yml): the directory has its name"},
		"the only one":                  {one, Checkout{Dir: "/x/y"}, "as customer reports (customers/reports.yml): it is the only registered customer"},
		"several and none fits":         {fleet, Checkout{Dir: "/x/y"}, ""},
		"none registered":               {Config{}, Checkout{Dir: "/x/y"}, ""},
		"no name in an empty registry":  {Config{}, Checkout{Name: "x"}, `!customer "x" does not exist`},
		"a name that does not exist":    {fleet, Checkout{Name: "shop"}, "!one of api, reports, web"},
		"one of two by the file":        {fleet, Checkout{Dir: filepath.Join(dir, "mono"), Remote: pipeline.Slug{Owner: "acme", Name: "mono"}}, "as customer web (customers/web.yml): its remote is acme/mono"},
		"one of two by the path":        {fleet, Checkout{Dir: filepath.Join(dir, "two"), Path: "services/api", Remote: pipeline.Slug{Owner: "acme", Name: "mono"}}, "as customer api (customers/api.yml): its remote is acme/mono"},
		"both of one repository":        {fleet, Checkout{Dir: filepath.Join(dir, "two"), Remote: pipeline.Slug{Owner: "acme", Name: "mono"}}, "!name one with --customer: api, web"},
		"a path of nobody":              {fleet, Checkout{Dir: "/x/y", Path: "deploy", Remote: pipeline.Slug{Owner: "acme", Name: "reports"}}, `!--path is "deploy"`},
		"a path against a name":         {fleet, Checkout{Dir: "/x/y", Path: "deploy", Name: "web"}, `!customers/web.yml says "services/web"`},
		"a path against the only one":   {one, Checkout{Dir: "/x/y", Path: "deploy"}, ""},
		"a path against the directory":  {fleet, Checkout{Dir: "/x/reports", Path: "deploy"}, ""},
		"the path of the directory's":   {fleet, Checkout{Dir: "/x/reports", Path: "infra"}, "as customer reports (customers/reports.yml): the directory has its name"},
		"a remote that nobody has":      {fleet, Checkout{Dir: "/x/y", Remote: pipeline.Slug{Owner: "acme", Name: "other"}}, ""},
		"an owner is part of the match": {fleet, Checkout{Dir: "/x/y", Remote: pipeline.Slug{Owner: "rival", Name: "reports"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.config.Match(c.given)
			if mistake, ok := strings.CutPrefix(c.want, "!"); ok {
				var usage *pipeline.UsageError
				if !errors.As(err, &usage) || !strings.Contains(err.Error(), mistake) {
					t.Errorf("got %v, want a usage error with %q", err, mistake)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Found != (c.want != "") || got.Found && got.String() != c.want {
				t.Errorf("got %v %q, want %q", got.Found, got, c.want)
			}
		})
	}
}
