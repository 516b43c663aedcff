package runner

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// job is a workflow of one job with the lines of its body.
func oneJob(body string) string {
	return "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n" + body
}

func TestStepsPassOnWhatTheyWrite(t *testing.T) {
	t.Parallel()
	h := &host{settings: map[string]Settings{"": {Secrets: map[string]string{"KEY": "s3cret"}, Variables: map[string]string{"REGION": "eu"}}}}
	result := played(t, h, `
on: push
env: {LEVEL: workflow, BOTH: "${{ vars.REGION }}-${{ secrets.KEY }}"}
jobs:
  a:
    runs-on: ubuntu-latest
    env: {LEVEL: job, OVER: job}
    outputs:
      name: ${{ steps.one.outputs.name }}
      secret: ${{ steps.one.outputs.secret }}
      text: ${{ steps.one.outputs.text }}
    steps:
      - id: one
        env: {OVER: step}
        run: |
          echo "$LEVEL $OVER $BOTH $MACHINE $GITHUB_REPOSITORY $GITHUB_JOB $CI"
          echo "name=shop" >>"$GITHUB_OUTPUT"
          echo "secret=has s3cret" >>"$GITHUB_OUTPUT"
          printf 'text<<END\ntwo\nlines\nEND\n' >>"$GITHUB_OUTPUT"
          echo "LATER=yes" >>"$GITHUB_ENV"
          echo "GITHUB_SHA=forged" >>"$GITHUB_ENV"
          mkdir "$RUNNER_TEMP/bin"; printf '#!/bin/sh\necho tool\n' >"$RUNNER_TEMP/bin/mytool"; chmod +x "$RUNNER_TEMP/bin/mytool"
          echo "$RUNNER_TEMP/bin" >>"$GITHUB_PATH"
          echo "# Summary s3cret" >>"$GITHUB_STEP_SUMMARY"
      - run: |
          echo "$LATER $OVER $GITHUB_SHA ${{ env.LATER }} ${{ steps.one.outputs.name }} ${{ steps.one.outcome }}"
          mytool
  b:
    needs: a
    runs-on: ubuntu-latest
    steps:
      - run: echo "[${{ needs.a.outputs.name }}] [${{ needs.a.outputs.secret }}] [${{ needs.a.result }}] [$LATER]"
`)
	if result.Conclusion != Success {
		t.Errorf("conclusion %s", result.Conclusion)
	}
	if got, want := h.log("a"), "job step eu-*** mine acme/shop a true\nyes job abc yes shop success\ntool"; got != want {
		t.Errorf("log of a:\n%s\nwant:\n%s", got, want)
	}
	if got := h.log("b"); got != "[shop] [] [success] []" {
		t.Errorf("log of b: %s", got)
	}
	a := result.job(t, "a")
	if d := cmp.Diff(map[string]string{"name": "shop", "text": "two\nlines"}, a.Outputs); d != "" {
		t.Error(d)
	}
	if a.Summary != "# Summary ***\n" || !strings.Contains(a.Problem, "The outputs secret may hold a secret") {
		t.Errorf("summary %q, problem %q", a.Summary, a.Problem)
	}
}

func TestHowStepsEnd(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, oneJob(`    steps:
      - {id: soft, continue-on-error: true, run: exit 3}
      - run: echo "soft ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }}"
      - {id: hard, run: "false; echo not reached"}
      - run: echo not reached
      - {if: "failure()", run: "echo failed ${{ job.status }} ${{ steps.hard.outcome }}"}
      - {if: "always()", run: "echo always"}
      - {if: "cancelled()", run: "echo not cancelled"}
      - {id: late, if: "success() || steps.soft.outcome == 'success'", run: "echo not reached"}
`))
	if got := h.log("a"); got != "soft failure success\nfailed failure failure\nalways" {
		t.Errorf("log:\n%s", got)
	}
	if result.Conclusion != Failure || h.steps[0].Exit != 3 || h.steps[0].Conclusion != Success {
		t.Errorf("%s, %+v", result.Conclusion, h.steps[0])
	}
}

func TestShells(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, `
on: push
defaults: {run: {working-directory: deep}}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - {run: 'mkdir deep; pwd | sed "s|.*/||"', working-directory: .}
      - {shell: sh, run: 'echo "sh in $(basename "$PWD")"'}
      - {shell: bash, continue-on-error: true, run: "false | true; echo pipefail is off"}
      - run: "false | true; echo no pipefail without a shell"
      - {shell: "bash -c 'cat \"$0\"' {0}", run: "own form"}
`)
	if got := h.log("a"); result.Conclusion != Failure || !strings.HasPrefix(got, "workspace\nsh in deep\nno pipefail without a shell") {
		t.Errorf("%s:\n%s", result.Conclusion, got)
	}
}

// TestHowJobsEnd holds what GitHub's page on needs and status functions says.
func TestHowJobsEnd(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, `
on: push
jobs:
  good: {runs-on: x, steps: [{run: "true"}]}
  bad: {runs-on: x, steps: [{run: "false"}]}
  never: {runs-on: x, if: false, steps: [{run: "true"}]}
  after-bad: {needs: bad, runs-on: x, steps: [{run: "true"}]}
  cleanup: {needs: [good, after-bad], if: "always()", runs-on: x, steps: [{run: 'echo "${{ join(needs.*.result) }}"'}]}
  on-failure: {needs: after-bad, if: "failure()", runs-on: x, steps: [{run: "true"}]}
  after-skip: {needs: never, runs-on: x, steps: [{run: "true"}]}
  accepts-skip: {needs: never, if: "!cancelled() && needs.never.result == 'skipped'", runs-on: x, steps: [{run: "true"}]}
  behind-skip: {needs: accepts-skip, runs-on: x, steps: [{run: "true"}]}
  soft: {runs-on: x, continue-on-error: true, steps: [{run: "false"}]}
  after-soft: {needs: soft, runs-on: x, steps: [{run: "true"}]}
`)
	var ran []string
	for _, j := range result.Jobs {
		ran = append(ran, j.ID+" "+j.Result)
	}
	slices.Sort(ran)
	want := []string{"accepts-skip success", "after-soft success", "bad failure", "cleanup success", "good success", "on-failure success", "soft success"}
	if d := cmp.Diff(want, ran); d != "" || result.Conclusion != Failure {
		t.Errorf("%s\n%s", result.Conclusion, d)
	}
	if got := h.log("cleanup"); got != "skipped,success" {
		t.Errorf("needs of cleanup: %s", got)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, `
on: push
jobs:
  list: {runs-on: x, outputs: {shards: "${{ steps.s.outputs.shards }}"}, steps: [{id: s, run: 'echo "shards=[0,1]" >>"$GITHUB_OUTPUT"'}]}
  shard:
    needs: list
    runs-on: x
    strategy: {fail-fast: false, matrix: {shard: "${{ fromJSON(needs.list.outputs.shards) }}"}}
    steps: [{run: "echo ${{ matrix.shard }} of ${{ strategy.job-total }}; exit ${{ matrix.shard }}"}]
  summary: {needs: shard, if: "always()", runs-on: x, steps: [{run: "echo ${{ needs.shard.result }}"}]}
  pairs:
    runs-on: x
    strategy:
      max-parallel: 1
      matrix:
        os: [a, b]
        n: [1, 2]
        exclude: [{os: a, n: 2}]
        include: [{os: b, n: 2, extra: yes-b2}, {os: c}]
    steps: [{run: 'echo "${{ matrix.os }} ${{ matrix.n }} ${{ matrix.extra }}"'}]
`)
	if result.Conclusion != Failure || h.log("shard (0)") != "0 of 2" || h.log("shard (1)") != "1 of 2" || h.log("summary") != "failure" {
		t.Errorf("%s: %v", result.Conclusion, h.logs)
	}
	var pairs []string
	for job, lines := range h.logs {
		if strings.HasPrefix(job, "pairs") {
			pairs = append(pairs, strings.TrimSpace(lines[0]))
		}
	}
	slices.Sort(pairs)
	if d := cmp.Diff([]string{"a 1", "b 1", "b 2 yes-b2", "c"}, pairs); d != "" {
		t.Error(d)
	}
}

const called = `
on:
  workflow_call:
    inputs: {environment: {type: string, required: true}, apply: {type: boolean, required: true}, stack: {type: string, default: none}}
    secrets: {KEY: {required: false}, OTHER: {required: false}}
    outputs: {closed: {value: "${{ jobs.plan.outputs.closed || 'no' }}"}}
jobs:
  plan:
    name: Plan ${{ inputs.environment }}
    runs-on: x
    environment: ${{ inputs.environment }}-plan
    permissions: {contents: read}
    outputs: {closed: "${{ steps.s.outputs.closed }}"}
    steps:
      - {id: s, env: {KEY: "${{ secrets.KEY }}", OTHER: "${{ secrets.OTHER }}", ENV: "${{ secrets.ENV }}"}, run: 'echo "${{ inputs.environment }} ${{ inputs.apply }} ${{ inputs.stack }} [${KEY:+key}] [${OTHER:+other}] [${ENV:+env}] [$CALLER]"; echo "closed=${{ inputs.apply }}" >>"$GITHUB_OUTPUT"'}
`

// TestQuotedMatrix: a text in quotation marks stays a text.
func TestQuotedMatrix(t *testing.T) {
	t.Parallel()
	h := &host{}
	r := played(t, h, "on: push\njobs:\n  a:\n    strategy: {matrix: {v: ['1.10', 1.10, \"01\", 1, \"true\"]}}\n    runs-on: x\n    env: {V: \"${{ matrix.v }} ${{ toJSON(matrix.v) }}\"}\n    steps: [{run: 'echo \"$V\"'}]\n")
	for job, want := range map[string]string{"a (1.10)": `1.10 "1.10"`, "a (1.1)": "1.1 1.1", "a (01)": `01 "01"`, "a (1)": "1 1", "a (true)": `true "true"`} {
		if r.job(t, job).Result != Success || h.log(job) != want {
			t.Errorf("%s: %q, want %q", job, h.log(job), want)
		}
	}
}

func TestCalledWorkflow(t *testing.T) {
	t.Parallel()
	h := &host{settings: map[string]Settings{"": {Secrets: map[string]string{"KEY": "k-secret", "OTHER": "o-secret"}}, "staging-plan": {Secrets: map[string]string{"ENV": "e-secret"}}}}
	result := played(t, h, `
on: push
env: {CALLER: not handed on}
jobs:
  target:
    name: "staging"
    permissions: {contents: read, id-token: write}
    uses: ./.github/workflows/target.yml
    with: {environment: staging, apply: "${{ github.ref == 'refs/heads/main' }}"}
    secrets: {KEY: "${{ secrets.KEY }}"}
  after: {needs: target, runs-on: x, steps: [{run: "echo ${{ needs.target.outputs.closed }} ${{ needs.target.result }}"}]}
`, ".github/workflows/target.yml", called)
	if result.Conclusion != Success || h.log("target/plan") != "staging true none [key] [] [env] []" || h.log("after") != "true success" {
		t.Errorf("%s: %v", result.Conclusion, h.logs)
	}
	j := result.job(t, "target/plan")
	if d := cmp.Diff(map[string]string{"contents": "read"}, j.Permissions); j.Name != "staging / Plan staging" || j.Environment != "staging-plan" || j.File != ".github/workflows/target.yml" || d != "" {
		t.Errorf("%+v\n%s", j, d)
	}
	if !h.saw("gate staging-plan of target/plan") {
		t.Errorf("events: %v", h.events)
	}
}

// TestGateStaysShut: a job whose environment does not let it start fails, and those that need it do not start.
func TestGateStaysShut(t *testing.T) {
	t.Parallel()
	h := &host{gate: func(context.Context, *Job) (bool, error) { return false, nil }}
	result := played(t, h, `
on: push
jobs:
  apply: {environment: production-apply, runs-on: x, steps: [{run: "echo applied"}]}
  after: {needs: apply, runs-on: x, steps: [{run: "echo after"}]}
  finish: {needs: [apply, after], if: "always()", runs-on: x, steps: [{run: "echo ${{ join(needs.*.result) }}"}]}
`)
	if result.Conclusion != Failure || h.log("apply") != "" || h.log("after") != "" || h.log("finish") != "skipped,failure" || h.saw("begin apply") {
		t.Errorf("%s: %v %v", result.Conclusion, h.logs, h.events)
	}
}

// TestCancelled: a cancelled run still plays what asks for it, in the job that runs and in those to come.
func TestCancelled(t *testing.T) {
	t.Parallel()
	files := repository(`
on: push
jobs:
  slow:
    runs-on: x
    steps:
      - run: exec sleep 60
      - run: echo never
      - {if: "always()", run: "echo report ${{ job.status }}"}
      - {if: "failure()", run: "echo no failure"}
  waits: {environment: production-apply, runs-on: x, steps: [{run: "echo never"}]}
  next: {needs: slow, runs-on: x, steps: [{run: "echo never"}]}
  finish: {needs: [slow, waits, next], if: "always()", runs-on: x, steps: [{run: "echo ${{ contains(needs.*.result, 'cancelled') }} ${{ join(needs.*.result) }}"}]}
`)
	ctx, cancel := context.WithCancel(t.Context())
	h := &host{gate: func(ctx context.Context, _ *Job) (bool, error) {
		<-ctx.Done()
		return false, ctx.Err()
	}}
	time.AfterFunc(500*time.Millisecond, cancel)
	result, err := newRun(t, files, h).Play(ctx)
	must(t, err)
	if result.Conclusion != Cancelled || h.log("slow") != "report cancelled" || h.log("waits")+h.log("next") != "" || h.log("finish") != "true skipped,cancelled,cancelled" {
		t.Errorf("%s: %v", result.Conclusion, h.logs)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, `
on: push
jobs:
  step: {runs-on: x, steps: [{timeout-minutes: 0.005, run: "exec sleep 60"}, {if: "failure()", run: "echo step failed"}]}
  job: {runs-on: x, timeout-minutes: 0.005, steps: [{run: "exec sleep 60"}, {if: "always()", run: "echo the report still runs"}]}
`)
	if result.job(t, "step").Result != Failure || h.log("step") != "step failed" || result.job(t, "job").Result != Cancelled || h.log("job") != "the report still runs" || result.Conclusion != Cancelled {
		t.Errorf("%s: %v %v", result.Conclusion, h.logs, result.job(t, "job"))
	}
}

// TestQueue: with `queue: max` all wait their turn; without it, a third one takes the place of the second.
func TestQueue(t *testing.T) {
	t.Parallel()
	for queue, want := range map[string][]string{"": {Success, Cancelled, Success}, "queue: max": {Success, Success, Success}} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			files := repository("on: push\njobs:\n  apply:\n    runs-on: x\n    concurrency:\n      group: ${{ github.repository }}/staging\n      cancel-in-progress: false\n      " + queue + "\n    steps: [{run: exec sleep 0.6}]\n")
			groups, results := &Groups{}, make([]chan string, 3)
			for i := range results {
				results[i] = make(chan string, 1)
				r := newRun(t, files, &host{})
				r.Groups = groups
				go func() {
					result, err := r.Play(t.Context())
					if err != nil {
						t.Error(err)
					}
					results[i] <- result.Conclusion
				}()
				time.Sleep(100 * time.Millisecond)
			}
			var got []string
			for _, r := range results {
				got = append(got, <-r)
			}
			if want[1] == Cancelled { // the job was, the run ends with it
				want[1] = Cancelled
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCancelInProgress(t *testing.T) {
	t.Parallel()
	files := repository("on: push\nconcurrency: {group: all, cancel-in-progress: true}\njobs: {a: {runs-on: x, steps: [{run: exec sleep 1}]}}\n")
	groups := &Groups{}
	first, second := newRun(t, files, &host{}), newRun(t, files, &host{})
	first.Groups, second.Groups = groups, groups
	done := make(chan Result, 1)
	go func() {
		r, err := first.Play(t.Context())
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	time.Sleep(300 * time.Millisecond)
	later, err := second.Play(t.Context())
	must(t, err)
	if r := <-done; r.Conclusion != Cancelled || later.Conclusion != Success {
		t.Errorf("first %s, second %s", r.Conclusion, later.Conclusion)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	h := &host{}
	result := played(t, h, oneJob(`    steps:
      - uses: actions/checkout@v7
      - run: cat README
      - {id: gate, uses: Acme/Approve@v2, with: {who: robin}, env: {FROM: step}}
      - run: echo "${{ steps.gate.outputs.answer }} [$FROM] $ADDED"
      - {uses: aws-actions/configure-aws-credentials@v6, with: {aws-region: eu-west-1, role-to-assume: "arn:aws:iam::1:role/x"}}
      - run: echo "$AWS_REGION"; echo kept >state
      - {uses: actions/upload-artifact@v7, with: {name: state, path: state, if-no-files-found: error}}
      - {uses: actions/download-artifact@v8, with: {name: state, path: back}}
      - run: cat back/state
      - {uses: actions/upload-artifact@v7, with: {name: none, path: nothing, if-no-files-found: error}}
`), ".rehearsal/actions/acme/approve/action.yml", `
inputs: {who: {required: true}, how: {default: by hand}}
outputs: {answer: {value: "${{ steps.a.outputs.answer }}"}}
runs:
  using: composite
  steps:
    - {id: a, shell: bash, run: 'echo "asks ${{ inputs.who }} ${{ inputs.how }} $FROM ${GITHUB_ACTION_PATH##*/}"; echo "answer=yes" >>"$GITHUB_OUTPUT"; echo "ADDED=1" >>"$GITHUB_ENV"'}
    - {if: "failure()", shell: bash, run: echo never}
`)
	want := "checks out acme/shop at abc\nacme/shop@abc\nasks robin by hand step approve\nyes [] 1\nthere is no cloud here: the role arn:aws:iam::1:role/x is not assumed\neu-west-1\n1 files are kept as state\nkept\nerror: no files were found with the path nothing"
	if got := h.log("a"); got != want || result.Conclusion != Failure {
		t.Errorf("%s:\n%s\nwant:\n%s", result.Conclusion, got, want)
	}
}

// TestArtifactsLieApart: a job may be called like the place of the artifacts.
func TestArtifactsLieApart(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"artifacts", "_artifacts"} {
		h := &host{}
		result := played(t, h, "on: push\njobs:\n  "+id+":\n    runs-on: x\n    steps:\n      - run: echo kept >state\n      - {uses: actions/upload-artifact@v7, with: {name: workspace, path: state}}\n"+
			"      - {uses: actions/download-artifact@v8, with: {path: back}}\n      - run: ls back\n")
		if got := h.log(id); result.Conclusion != Success || !strings.HasSuffix(got, "\nworkspace") || strings.Contains(got, "temp") {
			t.Errorf("%s: %s:\n%s", id, result.Conclusion, got)
		}
	}
}

// TestWrongFiles: what GitHub would refuse is refused before anything runs, with its place.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ workflow, more, want string }{
		"syntax":              {"on: push\njobs:\n  a:\n    runs-on: x\n    step: []\n", "", `test.yml:5: unexpected key "step"`},
		"no such job":         {"on: push\njobs:\n  a:\n    needs: [b]\n    runs-on: x\n    steps: [{run: x}]\n", "", `test.yml:4: job "a" needs "b"`},
		"a circle":            {"on: push\njobs:\n  a: {needs: b, runs-on: x, steps: [{run: x}]}\n  b: {needs: a, runs-on: x, steps: [{run: x}]}\n", "", `job "a" needs itself`},
		"condition":           {oneJob("    if: github.ref = 'x'\n    steps: [{run: x}]\n"), "", `test.yml:5: "github.ref = 'x'" is no expression`},
		"expression":          {oneJob("    steps:\n      - run: true\n        env:\n          X: ${{ github. }}\n"), "", "test.yml:8: "},
		"unknown action":      {oneJob("    steps:\n      - run: true\n      - uses: slack/notify@v1\n"), "", "test.yml:7: the action slack/notify@v1 cannot run here: write .rehearsal/actions/slack/notify/action.yml"},
		"container":           {oneJob("    container: alpine\n    steps: [{run: x}]\n"), "", "runs in a container"},
		"foreign workflow":    {"on: push\njobs: {a: {uses: other/repo/.github/workflows/x.yml@main}}\n", "", "lies in another repository"},
		"no such workflow":    {"on: push\njobs: {a: {uses: ./.github/workflows/none.yml}}\n", "", "none.yml: there is no such workflow"},
		"not callable":        {"on: push\njobs: {a: {uses: ./.github/workflows/more.yml}}\n", oneJob("    steps: [{run: x}]\n"), "cannot be called"},
		"input left out":      {"on: push\njobs: {a: {uses: ./.github/workflows/more.yml, with: {apply: true}}}\n", called, `the input "environment"`},
		"input not declared":  {"on: push\njobs: {a: {uses: ./.github/workflows/more.yml, with: {environment: x, apply: true, other: 1}}}\n", called, `has no input "other"`},
		"secret not declared": {"on: push\njobs: {a: {uses: ./.github/workflows/more.yml, with: {environment: x, apply: true}, secrets: {PAT: x}}}\n", called, `has no secret "pat"`},
		"too few rights":      {"on: push\npermissions: {}\njobs: {a: {uses: ./.github/workflows/more.yml, with: {environment: x, apply: true}}}\n", called, "the job asks for `contents: read`"},
		"context":             {oneJob("    if: secrets.KEY != ''\n    steps: [{run: x}]\n"), "", `test.yml:5: context "secrets" is not allowed here`},
		"name":                {oneJob("    steps:\n      - run: true\n        if: failure()\n        env: {X: \"${{ neds.a.result }}\"}\n"), "", `test.yml:8: undefined variable "neds"`},
		"function":            {oneJob("    if: alwayss()\n    steps: [{run: x}]\n"), "", `test.yml:5: undefined function "alwayss"`},
		"arguments":           {oneJob("    steps: [{run: x, if: \"contains('a')\"}]\n"), "", "number of arguments is wrong"},
		"two ids":             {oneJob("    steps: [{run: x, id: a}, {run: x, id: a}]\n"), "", `"a"`},
		"id":                  {oneJob("    steps: [{run: x, id: 1x}]\n"), "", `"1x"`},
		"permission":          {oneJob("    permissions: {content: read}\n    steps: [{run: x}]\n"), "", `"content"`},
		"level":               {oneJob("    permissions: {contents: wirte}\n    steps: [{run: x}]\n"), "", `"wirte"`},
		"event":               {strings.Replace(oneJob("    steps: [{run: x}]\n"), "on: push", "on: pull_requests", 1), "", "pull_requests"},
		"text around an if":   {oneJob("    if: |\n      ${{ false }}\n    steps: [{run: x}]\n"), "", "always evaluated to true"},
		"queue":               {oneJob("    concurrency: {group: x, queue: mex}\n    steps: [{run: x}]\n"), "", `concurrency.queue is "mex"`},
		"queue and cancel":    {oneJob("    concurrency: {group: x, queue: max, cancel-in-progress: true}\n    steps: [{run: x}]\n"), "", "both queue: max and cancel-in-progress"},
		"no file":             {"", "", "there is no such workflow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := repository(c.workflow, ".github/workflows/more.yml", c.more)
			if c.workflow == "" {
				files = fstest.MapFS{}
			}
			h := &host{}
			w, err := Load(files, file)
			if err == nil {
				r := &Run{Workflow: w, Repository: files, Event: Event{Name: "push"}, Host: h, Masks: NewMasks(nil), Dir: t.TempDir(), GitHub: map[string]any{}, Environ: []string{"PATH=" + os.Getenv("PATH")}}
				_, err = r.Play(t.Context())
			}
			var placed *FileError
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &placed) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if len(h.steps) > 0 {
				t.Errorf("steps ran: %v", h.steps)
			}
		})
	}
}

func TestRunName(t *testing.T) {
	t.Parallel()
	files := repository("on: {workflow_dispatch: {inputs: {customer: {type: string}, dry: {type: boolean, default: true}}}}\nrun-name: ${{ inputs.customer || 'Request' }} by ${{ github.event.sender.login }} ${{ inputs.dry }}\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n")
	r := newRun(t, files, &host{})
	r.Event = Event{Name: "workflow_dispatch", Payload: map[string]any{"inputs": map[string]any{"customer": "shop"}, "sender": map[string]any{"login": "casey"}}}
	if name, err := r.RunName(); name != "shop by casey true" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
}

// TestIDTokens: only a job with `id-token: write` can ask for ID tokens.
func TestIDTokens(t *testing.T) {
	t.Parallel()
	h := &host{}
	played(t, h, `
on: push
permissions: {}
jobs:
  signs: {permissions: {id-token: write}, runs-on: x, steps: [{run: 'echo "[$ACTIONS_ID_TOKEN_REQUEST_URL] ${{ github.token }}"'}]}
  plain: {runs-on: x, steps: [{run: 'echo "[$ACTIONS_ID_TOKEN_REQUEST_URL] [$GITHUB_TOKEN]"'}]}
`)
	if h.log("signs") != "[http://here] ***" || h.log("plain") != "[] []" {
		t.Errorf("%v", h.logs)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(called)
	f.Add(oneJob("    concurrency: {group: x, queue: max}\n    steps: [{run: '${{ github.ref }}'}]\n"))
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Load(repository(text), file)
		if err != nil {
			return
		}
		_ = w.Listens(Event{Name: "push", Branch: "main"})
	})
}
