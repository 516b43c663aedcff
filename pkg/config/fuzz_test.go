package config

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FuzzDecode holds that neither file panics its decoder, and that what is
// accepted keeps the promises that the rest relies on.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.txtar", "testdata/good/*.txtar"} {
		for _, file := range list(f, pattern) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, part := range a.Files {
				f.Add(part.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		node, _ := parseFile("x.yml", raw, "")
		if node == nil {
			return
		}
		d := &decoder{file: ManagerFile}
		m := d.manager(node)
		if d.problems.Err() == nil {
			checkManager(t, m)
		}
		d = &decoder{file: "customers/x.yml"}
		c := d.customer(node, "x", Default())
		if d.problems.Err() == nil {
			checkCustomer(t, c)
		}
	})
}

func checkManager(t *testing.T, m pipeline.Manager) {
	t.Helper()
	if len(m.Environments) == 0 || len(m.Environments) > maxEnvironments {
		t.Errorf("%d environments", len(m.Environments))
	}
	for _, e := range m.Environments {
		if _, err := pipeline.ParseEnvironment(string(e.Name)); err != nil {
			t.Error(err)
		}
	}
	if m.State.Directory == "." || m.Limits.VariablesBytes > MaxVariables || m.Limits.PlanTTL > maxPlanTTL {
		t.Errorf("accepted %+v", m)
	}
}

func checkCustomer(t *testing.T, c pipeline.Customer) {
	t.Helper()
	if _, err := pipeline.ParseSlug(c.Repository.String()); err != nil || c.RepositoryID <= 0 {
		t.Errorf("accepted %+v: %v", c, err)
	}
	if message := pipeline.BadPath(c.Path); message != "" {
		t.Errorf("path %q %s", c.Path, message)
	}
	limits := Default().Limits
	if c.Manager.Trust != pipeline.TrustRequired || c.Manager.Limits.PlanTTL > limits.PlanTTL || c.Manager.Limits.VariablesBytes > limits.VariablesBytes {
		t.Errorf("looser than the manager: %+v", c.Manager)
	}
}
