package compliance

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestRegions: variables.yml of each customer of a repository is compared with the property. What could not be read,
// or not be understood, is not known.
func TestRegions(t *testing.T) {
	t.Parallel()
	rules := pipeline.DefaultPropertyRules()
	manager := pipeline.Manager{Properties: &rules, Environments: []pipeline.EnvironmentRule{{Name: "staging"}}, Limits: pipeline.Limits{VariablesBytes: 1 << 20}}
	customer := func(name, dir string) pipeline.Customer {
		return pipeline.Customer{Name: pipeline.CustomerName(name), Path: dir, Manager: manager, Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, RepositoryID: 1}
	}
	file := func(region string) FileAnswer {
		return FileAnswer{Content: []byte("region: " + region + "\nenvironments: {staging: {}}\n")}
	}
	for name, c := range map[string]struct {
		property string
		files    map[string]FileAnswer
		want     string // findings and what is unknown
	}{
		"inside":          {`"eu-only"`, map[string]FileAnswer{"shop/infra/variables.yml": file("eu-west-1"), "shop/other/variables.yml": file("eu-west-1")}, ""},
		"outside":         {`"eu-only"`, map[string]FileAnswer{"shop/infra/variables.yml": file("us-east-1"), "shop/other/variables.yml": file("eu-west-1")}, `region: infra/variables.yml:1:9: region is "us-east-1"`},
		"of the other":    {`"eu-only"`, map[string]FileAnswer{"shop/infra/variables.yml": {Gone: true}, "shop/other/variables.yml": file("[us-east-1, us-east-2]")}, "region: other/variables.yml:1:10: "},
		"unset":           {`null`, nil, ""},
		"a value unknown": {`"mars-only"`, map[string]FileAnswer{"shop/infra/variables.yml": file("x"), "shop/other/variables.yml": file("x")}, `region: property region_restriction is "mars-only"`},
		"a list":          {`["eu-only"]`, nil, "region: property region_restriction is a list"},
		"of no form":      {`{"a":1}`, nil, "unknown properties: GitHub has a value of property region_restriction"},
		"unreadable":      {`"eu-only"`, map[string]FileAnswer{"shop/infra/variables.yml": {Err: errors.New("HTTP 502")}, "shop/other/variables.yml": file("eu-west-1")}, "unknown variables: HTTP 502"},
		"invalid":         {`"eu-only"`, map[string]FileAnswer{"shop/infra/variables.yml": {Content: []byte("a: [")}, "shop/other/variables.yml": file("eu-west-1")}, "unknown variables: infra/variables.yml has problems"},
	} {
		g := &github{repos: map[string][]Repository{"acme": {repo(1, "shop", `{"region_restriction":`+c.property+`}`)}}, files: c.files}
		s := scan(g, Rules{Regions: true})
		s.Customers = map[int64][]pipeline.Customer{1: {customer("a", "infra"), customer("b", "other")}}
		s.Parse = func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
			d, problems := variables.ParseFor(file, raw, c.Manager.Limits, nil, nil)
			if problems.Err() != nil {
				return nil, problems
			}
			return d, problems
		}
		r, err := s.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s: %s", f.Rule, f.Message))
		}
		for _, u := range r.Unknown {
			got = append(got, fmt.Sprintf("unknown %s: %s", u.What, u.Reason))
		}
		if text := strings.Join(got, "; "); !strings.HasPrefix(text, c.want) || c.want == "" && text != "" {
			t.Errorf("%s: %q", name, text)
		}
	}
}
