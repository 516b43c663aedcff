package drift

import (
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
)

// TestIssueOfAStack: each stack of an environment has an issue of its own, under a key, a
// marker and a title of its own.
func TestIssueOfAStack(t *testing.T) {
	t.Parallel()
	d := &Issuer{Now: time.Now, Body: func(Result) string { return "body" }, Closing: func(Result) string { return "closing" }}
	labels := []string{"a", "a-a", "b", "staging", "staging-network", "network", "drift", "0"}
	manager := pipeline.Slug{Owner: "ops", Name: "manager"}
	seen := map[string]pipeline.Target{}
	for _, customer := range labels {
		for _, env := range labels {
			for _, stack := range append([]string{""}, labels...) {
				target := pipeline.Target{Customer: pipeline.CustomerName(customer), Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}
				f := d.finding(pipeline.Customer{Name: target.Customer}, Result{Target: target, Kinds: []pipeline.DriftKind{pipeline.DriftReal}})
				keeper := issues.Keeper{Kind: issueKind, Manager: manager}
				for what, text := range map[string]string{"key": f.Key(), "title": f.Title, "marker": keeper.Marker(f)} {
					if other, taken := seen[what+text]; taken {
						t.Fatalf("%s and %s have one %s: %s", target, other, what, text)
					}
					seen[what+text] = target
				}
				if got := targetOf(target.Customer, f.Name); got != target {
					t.Fatalf("the issue of %s is read as that of %s", target, got)
				}
			}
		}
	}
}

// TestIssueOfAStackThatIsGone: the issue of a stack is closed when the customer does not have
// it any more, and so is that of the unnamed stack once stacks have names.
func TestIssueOfAStackThatIsGone(t *testing.T) {
	t.Parallel()
	book := issues.Book{Targets: map[string]issues.Record{}}
	for i, key := range []string{"acme/staging", "acme/staging.network", "acme/staging.hosts", "acme/live.network"} {
		book.Targets[key] = issues.Record{Repository: 7, Number: i + 1, Open: true}
	}
	c := pipeline.Customer{Name: "acme", Environments: []pipeline.Environment{"staging"},
		Manager: pipeline.Manager{Environments: []pipeline.EnvironmentRule{{Name: "staging"}}, Stacks: []pipeline.StackRule{{Name: "network"}}}}
	var why []string
	d := &Issuer{Now: time.Now, Closing: func(r Result) string { why = append(why, r.Skipped); return "closing" }}
	d.gone(book, map[pipeline.CustomerName]pipeline.Customer{"acme": c})
	want := "live/network is no environment of acme any more; staging is no stack of acme any more; staging/hosts is no stack of acme any more"
	if got := strings.Join(why, "; "); got != want {
		t.Errorf("closed: %s\nwant: %s", got, want)
	}
}
