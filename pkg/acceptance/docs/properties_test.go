package docs

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestPropertiesOfPatterns plays the example of a stack that the customer switches on.
func TestPropertiesOfPatterns(t *testing.T) {
	t.Parallel()
	_, dir, out := playSection(t, "### A stack that the customer switches on\n")
	results := regexp.MustCompile(` +`).ReplaceAllString(out, " ")
	for _, want := range []string{
		"✓ Pull request success: Plan: 1 to add",
		"✓ Merge success: Applied: 1 added",
		"sets the custom property infrastructure_tools network, dns",
		"✓ A property success: Applied to staging/dns: 1 added",
	} {
		if !strings.Contains(results, want) {
			t.Errorf("the rehearsal does not say %q", want)
		}
	}
	comment := fixture.ReadOptional(t, filepath.Join(dir, "out", "customer", "pull-requests", "1", "comment.md"))
	if !strings.Contains(comment, "`infrastructure_tools` = `network`") || strings.Contains(comment, "terraform_data.zone") {
		t.Errorf("the comment:\n%s", comment)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// propertyCall is a row of a table with a call of GitHub's API.
var propertyCall = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([A-Z]+) (/[^`]+)` \\| (?:`([^`]+)`)? *\\|$")

// TestPropertyCalls sends each call of docs/CUSTOM-PROPERTIES.md to the double of GitHub,
// in the order of the page. GitHub's API description has all of them.
func TestPropertyCalls(t *testing.T) {
	t.Parallel()
	server := hubtest.Start(t, hub.Options{})
	for _, u := range []hub.User{{Login: "ORG", Type: hub.Organization}, {Login: "owner"}} {
		fixture.Must(server.AddUser(u))(t)
	}
	fixture.Check(t, server.AddOwner("ORG", "owner"))
	repo := fixture.Must(server.AddRepo("ORG", "REPO", hub.RepoOptions{Private: true}))(t)
	fixture.Check(t, repo.Grant("owner", hub.Admin))
	token := fixture.Must(server.AddToken(hub.Token{Name: "owner", Kind: hub.Classic, User: "owner", Scopes: []string{"repo", "admin:org"}}))(t).Secret
	page := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "CUSTOM-PROPERTIES.md")))(t))
	calls := propertyCall.FindAllStringSubmatch(page, -1)
	if len(calls) < 8 {
		t.Fatalf("the page has %d calls", len(calls))
	}
	for _, call := range calls {
		req := fixture.Must(http.NewRequestWithContext(t.Context(), call[1], server.URL()+call[2], strings.NewReader(call[3])))(t)
		req.Header.Set("Authorization", "Bearer "+token)
		resp := fixture.Must(http.DefaultClient.Do(req))(t)
		body := fixture.Must(io.ReadAll(resp.Body))(t)
		fixture.Check(t, resp.Body.Close())
		if resp.StatusCode/100 != 2 {
			t.Errorf("%s %s %s: %d %s", call[1], call[2], call[3], resp.StatusCode, body)
		}
		if strings.Contains(call[2], "repository_query") && !strings.Contains(string(body), "ORG/REPO") {
			t.Errorf("%s finds %s", call[2], body)
		}
	}
}
