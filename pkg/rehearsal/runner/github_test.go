package runner

import (
	"strings"
	"testing"
)

// TestAsOnGitHub: what GitHub fails fails here, and what it goes on with goes on here.
func TestAsOnGitHub(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps string
		want  string // the result of the job
		log   string // a part of it
	}{
		"set-env":           {`[{run: "echo '::set-env name=A::b'"}]`, Failure, "switched off"},
		"add-path":          {`[{run: "echo '::add-path::/tmp'"}]`, Failure, "switched off"},
		"set-output":        {`[{id: a, run: "echo '::set-output name=x::from the log'"}, {run: "echo got $X", env: {X: "${{ steps.a.outputs.x }}"}}]`, Success, "got from the log"},
		"the file wins":     {`[{id: a, run: "echo x=from the file >>$GITHUB_OUTPUT; echo '::set-output name=x::from the log'"}, {run: "echo got $X", env: {X: "${{ steps.a.outputs.x }}"}}]`, Success, "got from the file"},
		"a large summary":   {`[{run: "head -c 1100000 /dev/zero | tr '\\0' x >>$GITHUB_STEP_SUMMARY"}, {run: echo still here}]`, Success, "still here"},
		"case":              {`[{run: "echo got $X", env: {X: "${{ case(github.actor == 'robin', 'first', github.actor == 'casey', 'second', 'third') }}"}}]`, Success, "got second"},
		"otherwise":         {`[{run: "echo got $X", env: {X: "${{ case(github.actor == 'robin', 'first', 'third') }}"}}]`, Success, "got third"},
		"hidden files":      {`[{run: "mkdir -p d/.h; touch d/.a d/b d/.h/c"}, {uses: actions/upload-artifact@v4, with: {path: d}}, {uses: actions/download-artifact@v4, with: {name: artifact, path: e}}, {run: find e -type f}]`, Success, "e/b"},
		"and with them":     {`[{run: "mkdir -p d/.h; touch d/.a d/b d/.h/c"}, {uses: actions/upload-artifact@v4, with: {path: d, include-hidden-files: true}}, {uses: actions/download-artifact@v4, with: {name: artifact, path: e}}, {run: "find e -type f | wc -l"}]`, Success, "3"},
		"a way out":         {`[{uses: actions/download-artifact@v4, with: {path: ../../escape}}]`, Failure, "leads out of the workspace"},
		"checkout":          {`[{uses: actions/checkout@v4}, {run: cat README}]`, Success, "acme/shop@abc"},
		"no right to do so": {`[{uses: actions/checkout@v4}]` + "\n    permissions: {issues: read}", Failure, "no permission contents: read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &host{}
			r := played(t, h, "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: "+c.steps+"\n")
			if got := r.job(t, "a").Result; got != c.want || !strings.Contains(h.log("a"), c.log) {
				t.Errorf("%s, want %s:\n%s", got, c.want, h.log("a"))
			}
		})
	}
}

// TestCompositeActions: an action sees what it is handed, and each of its scripts names its shell.
func TestCompositeActions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action, want, log string
	}{
		"the default of an input": {"inputs: {token: {default: '${{ github.actor }}', required: true}}\nruns: {using: composite, steps: [{shell: bash, run: 'echo got $T', env: {T: '${{ inputs.token }}'}}]}", Success, "got casey"},
		"a required input":        {"inputs: {word: {required: true}}\nruns: {using: composite, steps: [{shell: bash, run: 'echo got [$T]', env: {T: '${{ inputs.word }}'}}]}", Success, "got []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &host{}
			r := played(t, h, oneJob("    steps: [{uses: o/n@v1}]\n"), ".rehearsal/actions/o/n/action.yml", c.action)
			if got := r.job(t, "a").Result; got != c.want || !strings.Contains(h.log("a")+r.job(t, "a").Problem, c.log) {
				t.Errorf("%s, want %s:\n%s", got, c.want, h.log("a"))
			}
		})
	}
	for action, want := range map[string]string{
		"runs: {using: composite, steps: [{run: echo x}]}":         ".rehearsal/actions/o/n/action.yml: step 1 of the action has run and no shell",
		"runs: {using: node20, main: x.js}":                        `.rehearsal/actions/o/n/action.yml: it uses "node20", and only composite actions run here`,
		"runs: [":                                                  ".rehearsal/actions/o/n/action.yml: ",
		"runs: {using: composite, steps: [{shell: bash, rum: x}]}": "action.yml: step must run script",
	} {
		files := repository(oneJob("    steps: [{uses: o/n@v1}]\n"), ".rehearsal/actions/o/n/action.yml", action)
		if err := newRun(t, files, &host{}).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", action, err, want)
		}
	}
	if err := newRun(t, repository(oneJob("    steps: [{run: x}, {uses: ./actions/tell}]\n")), &host{}).Check(); err == nil || !strings.Contains(err.Error(), "the action ./actions/tell is not in this commit") {
		t.Errorf("an action that is not there: %v", err)
	}
	if err := newRun(t, repository(oneJob("    steps: [{uses: actions/checkout@v4, with: {path: src}}, {uses: ./src/actions/tell}]\n")), &host{}).Check(); err != nil {
		t.Errorf("an action of another checkout: %v", err)
	}
	h := &host{settings: map[string]Settings{"": {Secrets: map[string]string{"KEY": "hush-hush"}}}}
	r := newRun(t, repository(oneJob("    steps: [{uses: o/n@v1}]\n"), ".rehearsal/actions/o/n/action.yml", "runs: {using: composite, steps: [{shell: bash, run: 'echo $T', env: {T: '${{ secrets.KEY }}'}}]}"), h)
	if _, err := r.Play(t.Context()); err == nil || !strings.Contains(err.Error(), "secrets") {
		t.Errorf("an action that reads secrets: %v", err)
	}
}

// TestEncodedSecrets: the encodings of a secret are hidden too, and no output that holds one leaves its job.
func TestEncodedSecrets(t *testing.T) {
	t.Parallel()
	h := &host{settings: map[string]Settings{"": {Secrets: map[string]string{"KEY": `hush"hush&hush`}}}}
	r := played(t, h, oneJob(`    outputs: {key: "${{ steps.a.outputs.key }}", other: "${{ steps.a.outputs.other }}"}
    steps:
      - id: a
        env: {KEY: "${{ secrets.KEY }}"}
        run: |
          echo "key=$(printf %s "$KEY" | base64 -w0)" >>"$GITHUB_OUTPUT"
          echo other=plain >>"$GITHUB_OUTPUT"
          for before in "" x xy; do printf '[%s]' "$(printf %s "$before$KEY" | base64 -w0)"; done; echo
          echo 'hush\"hush&hush hush%22hush&hush hush&#34;hush&amp;hush'
`))
	if got := r.job(t, "a").Outputs; got["key"] != "" || got["other"] != "plain" {
		t.Errorf("outputs %v", got)
	}
	for _, part := range []string{"aHVzaCJodXNoJmh1c2", "hush", "1c2gmaHVza"} {
		if strings.Contains(h.log("a"), part) {
			t.Errorf("the log shows %q:\n%s", part, h.log("a"))
		}
	}
}
