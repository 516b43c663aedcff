package workflow

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestGuardsOfJobs: a job that runs the tool sees no token that can write to customers'
// repositories, and an apply has its gate. The shipped files keep both.
func TestGuardsOfJobs(t *testing.T) {
	t.Parallel()
	shipped := fstest.MapFS{}
	for _, name := range []string{"infra-deploy.yml", "infra-target.yml", "infra-apply.yml", "drift-detection.yml", "external-sync.yml", "sweep.yml"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "workflows", "manager", name))
		if err != nil {
			t.Fatal(err)
		}
		shipped[Dir+"/"+name] = &fstest.MapFile{Data: raw}
	}
	if problems := CheckGuards(shipped); len(problems) > 0 {
		t.Errorf("the shipped workflows: %v", problems)
	}
	const job = "jobs:\n  a:\n    environment: x-apply\n    steps:\n      - run: exec metapipe apply\n"
	for name, c := range map[string]struct {
		text string
		want []string // line, rule and a part of the message of each problem
	}{
		"as it should be":          {job, nil},
		"a token of the step":      {job + "        env: {T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}\n", []string{"x.yml:6: workflow-secrets: the job \"a\" runs the tool and sees SOURCE_REPOS_PAT"}},
		"a token of the job":       {job + "    env: {T: \"${{ secrets['METAPIPE_APP_PRIVATE_KEY'] }}\"}\n", []string{"x.yml:6: workflow-secrets: the job \"a\" runs the tool and sees METAPIPE_APP_PRIVATE_KEY"}},
		"a token of the workflow":  {"env: {T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}\n" + job, []string{"x.yml:1: workflow-secrets"}},
		"in small letters":         {job + "        env: {T: \"${{ Secrets.source_repos_pat }}\"}\n", []string{"sees SOURCE_REPOS_PAT"}},
		"another name":             {job + "        env: {T: \"${{ secrets.CUSTOMERS_PAT }}\"}\n", []string{"sees CUSTOMERS_PAT: every provider and module of a plan could take it → move the step"}},
		"an index":                 {job + "        env: {T: \"${{ secrets[format('{0}_PAT', 'SOURCE_REPOS')] }}\"}\n", []string{"sees all secrets"}},
		"a star":                   {job + "        env: {T: \"${{ join(secrets.*, ' ') }}\"}\n", []string{"sees all secrets"}},
		"all in small letters":     {job + "        env: {T: \"${{ tojson( secrets ) }}\"}\n", []string{"sees all secrets"}},
		"the key of plans":         {job + "        env: {T: \"${{ secrets.METAPIPE_KEY }}\", U: \"${{ secrets['AWS_ACCESS_KEY_ID'] }}\"}\n", nil},
		"the gate of another one":  {"on: {workflow_call: {inputs: {environment: {type: string}}}}\njobs:\n  a:\n    environment: staging-apply\n    steps: [{run: metapipe apply}]\n", []string{"x.yml:3: workflow-gate: the job \"a\" applies to the environment that its workflow is called with, and always waits at the gate staging-apply"}},
		"its own gate":             {"on: {workflow_call: {inputs: {environment: {type: string}}}}\njobs: {a: {environment: \"${{ inputs.environment }}-apply\", steps: [{run: metapipe apply}]}}", nil},
		"a plan on a laptop":       {"on: push\njobs: {a: {steps: [{run: metapipe plan --customer-dir x --environment staging}]}}", nil},
		"not the default branch":   {"on: push\njobs: {a: {if: \"github.ref != format('refs/heads/{0}', github.event.repository.default_branch)\", steps: [{run: metapipe sweep}]}}", []string{"workflow-branch"}},
		"all secrets":              {job + "        env: {T: \"${{ toJSON(secrets) }}\"}\n", []string{"sees all secrets"}},
		"a token that only reads":  {job + "        env: {T: \"${{ secrets.SOURCE_REPOS_READ_PAT }}\"}\n", nil},
		"a shard of drift":         {"jobs: {s: {steps: [{run: metapipe drift scan x, env: {T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}}]}}", []string{"the job \"s\" runs the tool"}},
		"a list of drift":          {"jobs: {s: {steps: [{run: metapipe drift list, env: {T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}}]}}", nil},
		"a job beside it":          {job + "  b: {steps: [{run: metapipe report, env: {T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}}]}\n", nil},
		"no gate":                  {strings.Replace(job, "    environment: x-apply\n", "", 1), []string{"x.yml:2: workflow-gate: the job \"a\" applies"}},
		"the gate of a plan":       {strings.Replace(job, "x-apply", "x-plan", 1), []string{"workflow-gate"}},
		"a gate with an address":   {strings.Replace(job, "x-apply", "{name: \"${{ inputs.e }}-apply\", url: \"https://x\"}", 1), nil},
		"a plan needs no reviewer": {"jobs: {s: {steps: [{run: metapipe plan}]}}", nil},
		"over two lines":           {"jobs:\n  s:\n    steps:\n      - run: |\n          metapipe \\\n            apply --customer x\n", []string{"workflow-gate"}},
		"another branch":           {"on: push\njobs:\n  a:\n    steps: [{run: metapipe sweep}]\n  b:\n    needs: a\n    steps: [{run: metapipe report}]\n", []string{"x.yml:3: workflow-branch: the job \"a\" runs metapipe"}},
		"the default branch":       {"on: {push: {}}\njobs: {a: {if: \"github.ref == format('refs/heads/{0}', github.event.repository.default_branch)\", steps: [{run: metapipe fetch-vars}]}}", nil},
		"a called workflow":        {"on: {workflow_call: {}}\njobs: {a: {steps: [{run: metapipe plan}]}}", nil},
		"called and by hand":       {"on: [workflow_call, workflow_dispatch]\njobs: {a: {steps: [{run: metapipe report}]}}", []string{"workflow-branch"}},
		"a check of the files":     {"on: push\njobs: {a: {steps: [{run: metapipe validate}]}}", nil},
		"not YAML":                 {"[", nil},
		"no jobs":                  {"jobs: [a]", nil},
	} {
		problems := CheckGuards(fstest.MapFS{Dir + "/x.yml": {Data: []byte(c.text)}})
		if !slices.EqualFunc(c.want, problems, func(want string, got pipeline.Problem) bool { return strings.Contains(got.String(), want) }) {
			t.Errorf("%s: %v, want %q", name, problems, c.want)
		}
	}
}

func TestCalled(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"jobs: {a: {uses: ./x.yml}, b: {uses: ./y.yml}, c: {uses: ./x.yml}, d: {uses: o/r/x.yml@v1}, e: {steps: []}}": {"./x.yml", "./y.yml"},
		"jobs: []": nil, "[": nil, "": nil,
	} {
		if got := Called([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestSecretsOfStacks: what a stack needs is meant to be there, unless it can write to customers' repositories.
func TestSecretsOfStacks(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{Dir + "/x.yml": {Data: []byte("on: {workflow_call: {}}\njobs:\n  a:\n    steps:\n      - run: metapipe plan\n        env: {K: \"${{ secrets.CLUSTER }}\", T: \"${{ secrets.SOURCE_REPOS_PAT }}\"}\n")}}
	if all := CheckGuards(root); len(all) != 2 {
		t.Fatalf("found %v", all)
	}
	if left := CheckGuards(root, "cluster", "SOURCE_REPOS_PAT"); len(left) != 1 || !strings.Contains(left[0].Message, "SOURCE_REPOS_PAT") {
		t.Errorf("found %v", left)
	}
}
