package runner

import (
	"maps"
	"slices"
	"testing"
)

const rerunOf = `
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.say.outputs.word }}"}
    steps:
      - id: say
        run: echo word=hello-$ATTEMPT >>"$GITHUB_OUTPUT"
  beside:
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
  many:
    needs: first
    strategy:
      fail-fast: false
      matrix: {part: [one, two]}
    runs-on: ubuntu-latest
    env: {PART: "${{ matrix.part }}"}
    steps: [{run: '[ "$PART" != two ] || [ "$ATTEMPT" = 2 ]'}]
  called:
    needs: first
    uses: ./.github/workflows/called.yml
    with: {word: "${{ needs.first.outputs.word }}"}
  last:
    needs: [called, many, beside]
    if: always()
    env: {SAW: "${{ needs.called.outputs.seen }}"}
    runs-on: ubuntu-latest
    steps: [{run: 'echo "$SAW"'}]
`

const rerunCalled = `
on:
  workflow_call:
    inputs: {word: {type: string, required: true}}
    outputs: {seen: {value: "${{ jobs.well.outputs.seen }} ${{ jobs.after.outputs.seen }}"}}
jobs:
  well:
    runs-on: ubuntu-latest
    outputs: {seen: "${{ steps.s.outputs.seen }}"}
    env: {WORD: "${{ inputs.word }}"}
    steps: [{id: s, run: 'echo "seen=$WORD-$ATTEMPT" >>"$GITHUB_OUTPUT"'}]
  badly:
    runs-on: ubuntu-latest
    steps: [{run: '[ "$ATTEMPT" = 2 ]'}]
  after:
    needs: badly
    runs-on: ubuntu-latest
    outputs: {seen: "${{ steps.s.outputs.seen }}"}
    steps: [{id: s, run: 'echo "seen=after-$ATTEMPT" >>"$GITHUB_OUTPUT"'}]
`

// TestRerun plays the failed jobs of a run again: what succeeded is kept with its outputs, and what waits for a job
// that is played again is played as well, also in the workflow that calls it.
func TestRerun(t *testing.T) {
	files, h := repository(rerunOf, ".github/workflows/called.yml", rerunCalled), &host{}
	r := newRun(t, files, h)
	if want := []string{"beside", "called/after", "called/badly", "called/well", "first", "last", "many"}; !slices.Equal(r.Workflow.Paths(), want) {
		t.Errorf("paths: %q", r.Workflow.Paths())
	}
	r.Environ = append(r.Environ, "ATTEMPT=1")
	first, err := r.Play(t.Context())
	must(t, err)
	if first.Conclusion != Failure || h.log("last") != "hello-1-1 " {
		t.Fatalf("the first attempt: %s, %q", first.Conclusion, h.log("last"))
	}
	kept := r.Workflow.Rerun(first)
	if got := slices.Sorted(maps.Keys(kept)); !slices.Equal(got, []string{"beside", "called/well", "first", "many (one)"}) {
		t.Errorf("kept: %q", got)
	}

	h = &host{}
	r = newRun(t, files, h)
	r.Environ, r.Kept = append(r.Environ, "ATTEMPT=2"), kept
	second, err := r.Play(t.Context())
	must(t, err)
	var played []string
	for _, j := range second.Jobs {
		played = append(played, j.Path)
	}
	slices.Sort(played)
	if second.Conclusion != Success || !slices.Equal(played, []string{"called/after", "called/badly", "last", "many (two)"}) {
		t.Errorf("the second attempt: %s, played %q", second.Conclusion, played)
	}
	if h.log("last") != "hello-1-1 after-2" {
		t.Errorf("the last job saw %q", h.log("last"))
	}
}
