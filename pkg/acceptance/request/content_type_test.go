package request

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// withContent is a setup whose manager has rules about the content of repositories.
func withContent(t *testing.T, rules, property string) *fixture.Setup {
	t.Helper()
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\nproperties: {}\n" + rules})
	w.Customer.SetProperties(json.RawMessage(property))
	return w
}

const variables = "name: shop\nenvironments:\n  staging: {}\n"

// TestContentFindings: files that do not fit the content type are annotations, rows of
// the summary and a status. They stop the request where metapipe.yml enforces the rules.
func TestContentFindings(t *testing.T) {
	t.Parallel()
	files := map[string]string{"infra/variables.yml": variables, "app/main.go": "x", "infra/net.tf": "x", "app/a\n::error::x.tf": "x"}
	want := []string{"infra/net.tf", "a repository of the type both may not have this"}
	w := withContent(t, "content: {}\n", `{"repo_content_type": ["app", "infra"]}`)
	run := w.Push("main", files)
	end := w.NewJob(run).Do(5, "trigger", "--pickup-timeout", "1s")
	end.Says(t, "::warning file=infra/net.tf,title=content-forbidden::a repository of the type both may not have this")
	if strings.Contains(end.Log, "\n::error::x") {
		t.Errorf("the name of a file is a command:\n%s", end.Log)
	}
	for _, text := range append(want, "#### Content type", "⚠️ `infra/net.tf`") {
		if !strings.Contains(end.Summary, text) {
			t.Errorf("no %q in the summary:\n%s", text, end.Summary)
		}
	}
	if s := w.Statuses(run.SHA)["infra/content-type"]; !strings.HasPrefix(s, "success: Warning: ") || !strings.Contains(s, "may not have this (+1 more)") {
		t.Errorf("status %q", s)
	}

	w = withContent(t, "content: {enforce: true}\n", `{"repo_content_type": ["app", "infra"]}`)
	run = w.Push("main", files)
	end = w.NewJob(run).Do(3, "trigger", "--wait", "1m")
	end.Says(t, "::error file=infra/net.tf,title=content-forbidden::")
	w.WantNoDispatch()
	statuses := w.Statuses(run.SHA)
	if !strings.HasPrefix(statuses["infra/content-type"], "failure: ") || !strings.HasPrefix(statuses["infra/terraform-deploy"], "failure: Not sent: the files do not fit the content type") {
		t.Errorf("statuses %v", statuses)
	}
}

// TestAppOnlyRepository: a repository that holds no infrastructure asks for none, needs no
// directory for it, and its required check is green. The manager says the same to a
// trigger that asks in spite of that.
func TestAppOnlyRepository(t *testing.T) {
	t.Parallel()
	w := withContent(t, "", `{"repo_content_type": "app"}`)
	run := w.Push("main", map[string]string{"app/main.go": "package main\n"})
	end := w.NewJob(run).Do(0, "trigger", "--wait", "1m")
	const says = "Nothing to do: property repo_content_type is app, so this repository asks for no infrastructure"
	end.Says(t, says)
	end.Want(t, "outcome=no-changes", "skipped="+says, "ready=true", "setup={}")
	w.WantNoDispatch()
	statuses := w.Statuses(run.SHA)
	if statuses["infra/terraform-deploy"] != "success: "+says || statuses["infra/content-type"] != "" {
		t.Errorf("statuses %v", statuses)
	}
}

// TestContentCosts: the look at the files reads nothing from GitHub beside metapipe.yml,
// which trigger reads for the schema of variables.yml, too.
func TestContentCosts(t *testing.T) {
	t.Parallel()
	reads := func(rules string) map[string]bool {
		w := withContent(t, rules, `{"repo_content_type": "both"}`)
		run := w.Push("main", map[string]string{"infra/variables.yml": variables, "app/main.go": "x"})
		w.Hub.ResetCalls()
		w.NewJob(run).Do(5, "trigger", "--pickup-timeout", "1s")
		asked := map[string]bool{}
		for _, c := range w.Hub.Calls() {
			if !c.Write() {
				asked[c.Route+" "+path.Base(c.Path)] = true
			}
		}
		return asked
	}
	without, with := reads(""), reads("content: {}\n")
	for call := range with {
		// The commit is another one in each of the two setups.
		if !without[call] && !strings.Contains(call, "{ref}") && !strings.Contains(call, "{basehead}") {
			t.Errorf("%s is read for the rules only", call)
		}
	}
	if len(without) == 0 || len(with) != len(without) {
		t.Errorf("without rules %v, with rules %v", without, with)
	}
}
