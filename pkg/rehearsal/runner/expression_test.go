package runner

import (
	"slices"
	"strings"
	"testing"
)

func sees() scope {
	return scope{
		contexts: map[string]any{
			"github": map[string]any{"event_name": "push", "ref": "refs/heads/main", "event": map[string]any{"labels": []any{map[string]any{"name": "bug"}, map[string]any{"name": "Infra"}, "odd"}}},
			"needs":  map[string]any{"plan": map[string]any{"result": "success", "outputs": map[string]any{"list": `["a","b"]`}}},
			"inputs": map[string]any{"apply": true, "stack": "", "count": 3.0}, "vars": map[string]any{}, "matrix": nil,
		},
		status: func(f string) bool { return f == "success" || f == "always" },
	}
}

// TestExpressions takes the examples and rules of GitHub's page "Evaluate expressions in workflows and actions".
func TestExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${{ github.event_name }}": "push", "a ${{ 'b' }} c ${{ 1 }}": "a b c 1", "${{ GitHub.Event_Name }}": "push", "${{ github['ref'] }}": "refs/heads/main",
		"${{ github.nothing }}": "", "${{ github.nothing.at.all }}": "", "${{ vars.X }}": "", "${{ matrix.shard }}": "", "no expression": "no expression", "$${{ 1 }}": "$1", "}} ${{ '}}' }}": "}} }}",
		"${{ true }}": "true", "${{ null }}": "", "${{ 1.50 }}": "1.5", "${{ 0xff }}": "255", "${{ -2.99e2 }}": "-299", "${{ 1000000 }}": "1000000", "${{ 'It''s' }}": "It's",
		"${{ 1 == '1' }}": "true", "${{ 'A' == 'a' }}": "true", "${{ null == 0 }}": "true", "${{ null == '' }}": "true", "${{ true == 1 }}": "true", "${{ 'x' == 0 }}": "false", "${{ '' == 0 }}": "true", "${{ ' 0xF ' == 15 }}": "true",
		"${{ 'b' > 'A' }}": "true", "${{ 'x' < 1 }}": "false", "${{ 'x' >= 1 }}": "false", "${{ 2 >= 2 }}": "true", "${{ 2 <= 1 }}": "false", "${{ !'' }}": "true", "${{ !github }}": "false",
		"${{ 'a' && 'b' }}": "b", "${{ '' || 'c' }}": "c", "${{ 0 || null }}": "", "${{ inputs.stack && format('/{0}', inputs.stack) }}": "", "${{ false && github.x || 'd' }}": "d",
		"${{ contains('Hello', 'ELL') }}": "true", "${{ contains(fromJSON('[\"a\", 2]'), '2') }}": "true", "${{ contains(github.event.labels.*.name, 'infra') }}": "true", "${{ contains(needs.*.result, 'failure') }}": "false",
		"${{ join(github.event.labels.*.name, ', ') }}": "bug, Infra", "${{ join(fromJSON('[1,true,null]')) }}": "1,true,", "${{ github.event.labels[1].name }}": "Infra", "${{ github.event.labels[9].name }}": "", "${{ github.event.labels[0] }}": "Object",
		"${{ startsWith(github.ref, 'REFS/') }}": "true", "${{ endsWith(github.ref, 'main') }}": "true", "${{ format('{{0}} {0} {1} {0}', 'x', 2) }}": "{0} x 2 x",
		"${{ toJSON(fromJSON('{\"a\":[1,\"<\"]}')) }}": "{\n  \"a\": [\n    1,\n    \"<\"\n  ]\n}", "${{ fromJSON('[\"a\"]') }}": "Array", "${{ fromJSON(needs.plan.outputs.list)[1] }}": "b", "${{ success() }}": "true", "${{ inputs.count + 0 }}": "error",
		"${{ secrets.X }}": "error", "${{ shout('x') }}": "error", "${{ format('{2}', 1) }}": "error", "${{ format('{', 1) }}": "error", "${{ fromJSON('[') }}": "error", "${{ contains('x') }}": "error", "${{ ": "error", "${{ }}": "error", "${{ 1 1 }}": "error",
		"${{ hashFiles('*') }}": "error",
	} {
		got, err := sees().text(text)
		if want == "error" && err == nil || want != "error" && (err != nil || got != want) {
			t.Errorf("%s is %q (%v), want %q", text, got, err, want)
		}
	}
	if v, err := sees().value("  ${{ inputs.apply }}\n"); v != true || err != nil {
		t.Errorf("an expression alone has lost its type: %v, %v", v, err)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	failed := sees()
	failed.status = func(f string) bool { return f == "failure" || f == "always" }
	for text, want := range map[string][2]bool{ // all went well, something failed
		"": {true, false}, "always()": {true, true}, "failure()": {false, true}, "!cancelled()": {true, true}, "cancelled()": {false, false}, "github.event_name == 'push'": {true, false}, "${{ github.event_name == 'push' }}": {true, false},
		"always() && inputs.apply": {true, true}, "inputs.stack": {false, false}, "success() || failure()": {true, true}, "!failure() && inputs.apply": {true, false}, "${{ always() }} && false": {true, true}, "x ${{ false }}": {true, false},
	} {
		for i, s := range []scope{sees(), failed} {
			if got, err := s.condition(text); err != nil || got != want[i] {
				t.Errorf("%q is %v (%v), want %v", text, got, err, want[i])
			}
		}
	}
	for _, text := range []string{"github.event_name =", "steps.x.outcome", "${{ a }", "'x' y"} {
		if _, err := sees().condition(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestAvailability(t *testing.T) {
	t.Parallel()
	s := sees().with("secrets", map[string]any{"KEY": "k"})
	if _, err := s.at("jobs.<job_id>.if").text("${{ secrets.KEY }}"); err == nil || !strings.Contains(err.Error(), `"secrets" is not available`) {
		t.Errorf("secrets in a condition: %v", err)
	}
	if got, err := s.at("jobs.<job_id>.env").text("${{ secrets.KEY }}"); got != "k" || err != nil {
		t.Errorf("secrets in env: %q, %v", got, err)
	}
	if _, err := s.at("jobs.<job_id>.env").text("${{ always() }}"); err == nil {
		t.Error("always() in env: no error")
	}
}

func FuzzExpression(f *testing.F) {
	f.Add("${{ contains(github.event.labels.*.name, 'infra') && format('{0}', inputs.count) || fromJSON('[1]')[0] }}")
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := split(text)
		got, valueErr := sees().text(text)
		if err != nil && valueErr == nil {
			t.Errorf("%q has a value (%q) and cannot be read: %v", text, got, err)
		}
		if err == nil && !slices.ContainsFunc(parts, func(p part) bool { return p.node != nil }) && got != text {
			t.Errorf("%q has no expression and became %q", text, got)
		}
		_, _ = sees().condition(text)
	})
}

func TestListens(t *testing.T) {
	t.Parallel()
	push := Event{Name: "push", Branch: "main", Paths: []string{"infra/variables.yml", "src/x.go"}}
	pull := Event{Name: "pull_request", Type: "opened", Branch: "main"}
	for on, want := range map[string]bool{
		"push": true, "pull_request": false, "[push, pull_request]": true, "{push: {branches: [main]}}": true, "{push: {branches: ['rel/**']}}": false, "{push: {branches: ['m*', '!main']}}": false, "{push: {branches-ignore: [main]}}": false,
		"{push: {paths: ['infra/**']}}": true, "{push: {paths: ['docs/**']}}": false, "{push: {paths-ignore: ['infra/**']}}": true, "{push: {paths-ignore: ['**']}}": false, "{push: {tags: ['v*']}}": false, "{push: {branches: ['ma?in']}}": true, "{push: {branches: ['m[a-c]in']}}": true,
		"{push: {paths: ['**/variables.yml']}}": true, "{push: {paths: ['*.yml']}}": false,
	} {
		w, err := Load(repository("on: "+on+"\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n"), file)
		must(t, err)
		if got := w.Listens(push); got != want {
			t.Errorf("on: %s: a push starts it: %v", on, got)
		}
	}
	for on, want := range map[string]bool{"pull_request": true, "{pull_request: {types: [closed]}}": false, "{pull_request: {types: [opened]}}": true, "{repository_dispatch: {types: [infra-deploy]}}": false} {
		w, err := Load(repository("on: "+on+"\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n"), file)
		must(t, err)
		if got := w.Listens(pull); got != want {
			t.Errorf("on: %s: a pull request starts it: %v", on, got)
		}
	}
	w, err := Load(repository("on: {repository_dispatch: {types: [infra-deploy]}}\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n"), file)
	must(t, err)
	if !w.Listens(Event{Name: "repository_dispatch", Type: "infra-deploy"}) || w.Listens(Event{Name: "repository_dispatch", Type: "infra-destroy"}) {
		t.Error("the type of a dispatch does not count")
	}
}
