package provision_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	account "github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
	"github.com/metapipe/metapipe/pkg/spacelift"
	"github.com/metapipe/metapipe/pkg/variables"
)

// repository is one customer's repository.
type repository struct{}

func (repository) RepositoryProperties(_ context.Context, slug pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
	return pipeline.Repository{Slug: slug, ID: 7, DefaultBranch: "main"}, pipeline.Properties{}, nil
}

func (repository) File(_ context.Context, _ pipeline.Slug, _, name string) (pipeline.File, error) {
	return pipeline.File{Path: name, Content: []byte("environments: {staging: {}}\n")}, nil
}

// roots give each target its values as they are.
type roots struct{}

func (roots) Given(_ pipeline.Customer, _ pipeline.Target, config pipeline.EffectiveConfig, _ map[pipeline.StackName]map[string]string) (provision.Given, error) {
	return provision.Given{Files: map[string][]byte{"source-variables.yml": config.Source}}, nil
}

func (roots) FileNames() []string { return []string{"source-variables.yml"} }

// TestBusyTarget: no stack is enabled while Actions works on its target, or where that is not known.
func TestBusyTarget(t *testing.T) {
	t.Parallel()
	server := account.New(time.Now)
	server.AddSpace("infra", "Infrastructure", "root")
	server.AddKey("key", "secret", account.Rights{Spaces: []string{"infra"}})
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	client, err := spacelift.New(spacelift.Options{Endpoint: web.URL, KeyID: "key", Secret: func(context.Context) (string, error) { return "secret", nil }})
	if err != nil {
		t.Fatal(err)
	}
	c := pipeline.Customer{Name: "shop", Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, RepositoryID: 7, Path: "infra", Root: "terraform", Manager: pipeline.Manager{
		Environments: []pipeline.EnvironmentRule{{Name: "staging"}}, Tool: pipeline.ToolRule{Name: "tofu"}, Runner: pipeline.RunnerSpacelift, Limits: pipeline.Limits{VariablesBytes: 1 << 16},
		Spacelift: &pipeline.SpaceliftRule{Endpoint: web.URL, Space: "infra", Branch: "main"}}}
	plan := func(busy string, fails error) (bool, string) {
		t.Helper()
		p := provision.Planner{Spacelift: client, GitHub: repository{}, Roots: roots{}, Manager: pipeline.Slug{Owner: "provider", Name: "infra"}, Salt: pipeline.NewSalt(),
			Parse: func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
				return variables.Parse(file, raw, c.Manager.Limits, nil)
			},
			Busy: func(context.Context, pipeline.Target) (string, error) { return busy, fails }}
		r, err := p.Plan(t.Context(), []pipeline.Customer{c})
		if err != nil {
			t.Fatal(err)
		}
		enables := false
		for _, row := range r.Plan.Rows {
			enables = enables || strings.Contains(string(row.New), `"enabled":true`)
		}
		var said []string
		for _, f := range r.Findings {
			said = append(said, f.Message)
		}
		return enables, strings.Join(said, "; ")
	}
	if enables, said := plan("", nil); !enables || said != "" {
		t.Errorf("idle: enabled %t, %q", enables, said)
	}
	if enables, said := plan("the apply of request 1234", nil); enables || !strings.Contains(said, "stays disabled: Actions still works on shop/staging: the apply of request 1234") {
		t.Errorf("busy: enabled %t, %q", enables, said)
	}
	if enables, said := plan("", errors.New("the store is gone")); enables || !strings.Contains(said, "is not known: the store is gone") {
		t.Errorf("unknown: enabled %t, %q", enables, said)
	}
}
