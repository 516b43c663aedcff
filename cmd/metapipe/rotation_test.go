package main

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
)

// TestKeyRotation follows docs/SETUP.md: the new key before the old one, and the
// old one removed later. A plan that a pull request showed under the old key is
// compared all the way, and one that waits for its approval stays applicable.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	old, next := w.key, store.NewKey().Secret()
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	shown, _ := w.ask(run, 0)
	shown.do(0, "plan", "staging").want(t, "outcome=planned")
	shown.report("--final")

	w.key = next + "\n" + old
	merged := w.accept(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)))
	merged.planned("staging")
	w.key = old
	merged.do(4, "apply", "staging").want(t, "reason=unknown-key")
	w.key = next
	merged.do(0, "apply", "staging").want(t, "outcome=applied")
	merged.report("--final")
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "same as the plan in the pull request") {
		t.Errorf("comments %+v", comments)
	}
	w.wantNothingPending()
}

// TestKeyRemovedTooEarly: the plan of the merge cannot be compared with one under
// a key that is gone, and says so instead of calling it another plan.
func TestKeyRemovedTooEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	shown, _ := w.ask(run, 0)
	shown.do(0, "plan", "staging").want(t, "outcome=planned")
	w.key = store.NewKey().Secret()
	// Whose commit the request was about cannot be believed any more, so nothing is told.
	w.newJob(shown.run).do(4, "report", "--customer", shown.customer, "--request", shown.id, "--final").says(t, "needs the key with the id")
	merged := w.accept(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)))
	merged.planned("staging")
	merged.report("--final")
	if body := w.customer.Snapshot().Pulls[0].Comments[0].Body; !strings.Contains(body, "made under an encryption key that has been removed since") {
		t.Errorf("the comment does not tell that the plans cannot be compared:\n%s", body)
	}
	merged.do(0, "apply", "staging").want(t, "outcome=applied")
}
