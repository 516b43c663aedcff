package act

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// attack is a text of a customer's that tries to be more than text. Each one holds
// the word "pwned".
type attack struct {
	name, text string
	// pasted is a script that holds the text as it is, at %s: run, it makes a file in
	// the canary's folder. Empty where the text is not meant for a shell.
	pasted string
}

// attacks are those that can stand in a value. A file appears in the folder canary
// when one of them is executed.
func attacks(canary string) []attack {
	touch := func(name string) string { return "touch " + filepath.Join(canary, "pwned-"+name) }
	return []attack{
		{"single-quote", "'; " + touch("single-quote") + "; '", "echo '%s'"},
		{"double-quote", `"; ` + touch("double-quote") + `; "`, `echo "%s"`},
		{"backticks", "`" + touch("backticks") + "`", `echo "%s"`},
		{"dollar", "$(" + touch("dollar") + ") ${HOME} $((1+1)) %s %n \\", "echo %s\n"},
		{"newline", "pwned-newline\n" + touch("newline") + "\n\r\n\r\tafter\n\n", "X=%s"},
		{"here-document", "EOF\n" + touch("here-document") + "\n", "cat <<EOF\n%s\nEOF"},
		{"set-output", "x\n::set-output name=outcome::pwned\n ::set-output name=receipt::pwned\n", ""},
		{"set-env", "x\n::set-env name=BASH_ENV::$(" + touch("set-env") + ")\n##[set-env name=BASH_ENV]$(" + touch("set-env") + ")\n", ""},
		{"mask", "x\n::add-mask::pwned\n\t::add-mask::staging\n##[add-mask]shop\n", ""},
		{"stop", "x\n::stop-commands::pwned\n::error::pwned-annotation\n::group::pwned\n", ""},
		{"delimiter", "pwned\nghadelimiter_pwned\nEOF\n_GitHubActionsFileCommandDelimeter_\noutcome=pwned\n", ""},
		{"right-to-left", "pwned \u200f\u061ctxt.exe \u200b\u200d\u00ad", ""},
		{"markdown", "pwned ``` ````\n```\n</details></code></pre>\n# pwned\n| a | b |\n@pwned #1 <img src=x onerror=pwned> [x](javascript:pwned) <!-- pwned -->\n", ""},
		{"template", `pwned ${file("/etc/passwd")} %{ for x in [] }%{ endfor } $${x}`, ""},
		{"yaml", "pwned: *x\n- &x !!binary 'yes'\n---\n", ""},
		{"json", `pwned","create":0,"x":"\u0000`, ""},
		{"nothing", "null", ""},
		{"number", "0x1F", ""},
	}
}

// refusedTexts are attacks that a variables.yml may not hold at all.
var refusedTexts = map[string]string{
	"override": "pwned \u202e\u2066txt.exe\u2069\u2028\ufeff", "terminal": "\x1b[31mpwned\x1b[0m\x1b]0;pwned\x07\x08\x7f",
	"expression": "pwned ${{ github.token }}", "key'$(touch $CANARY/pwned-key)\n::set-output name=outcome::pwned": "x",
}

// hostileTF hands the values on in every way a root can: from its variable, from the
// file, and through the output of a provisioner.
const hostileTF = `
output "values" { value = var.config.values }
output "source" { value = yamldecode(file("${path.module}/source-variables.yml")).values }

resource "terraform_data" "each" {
  for_each = var.config.values
  input    = each.value

  provisioner "local-exec" {
    command     = "printf '%s\\n' \"$VALUE\"; printf '%s\\n' \"$VALUE\" >&2"
    environment = { VALUE = each.value }
  }
}
`

// hostileInAct carries texts that try to be code through all steps, from the pull
// request to the job that is handed the outputs: nothing is executed or obeyed, and
// every value arrives as it was written.
func hostileInAct(t *testing.T, w *actSetup) {
	w.obeysOldCommands = true
	canary := t.TempDir()
	w.canary = canary
	values := map[string]string{}
	file := "name: shop\nenvironments:\n  staging: {}\nvalues:\n"
	for _, a := range attacks(canary) {
		a.mustBite(t, canary)
		values[a.name] = a.text
		file += fmt.Sprintf("  %s: %s\n", a.name, strconv.QuoteToASCII(a.text))
	}
	const key = "::set-output name=outcome::pwned'\"`touch $CANARY/pwned-key`$(touch $CANARY/pwned-key)"
	values[key] = "pwned"
	file += fmt.Sprintf("  %s: pwned\n", strconv.QuoteToASCII(key))

	w.refuses(canary)

	run, number := w.hostilePull(file)
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.WantStatus(fixture.Must(w.Customer.Pull(number))(t).Head, "infra/terraform-deploy/staging", "success: Plan: ")
	w.wantHarmless(j, canary)
	w.wantShown(j)

	before := fixture.Must(w.Customer.Head("main"))(t)
	merged := fixture.Must(w.Customer.MergePull(number, hub.MergeCommit, "casey"))(t)
	j = w.through(w.PushedFrom("main", before, merged), nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.WantStatus(merged, "infra/terraform-deploy/staging", "success: Applied")
	w.wantHarmless(j, canary)
	w.wantArrived(j, values)

	// What a tool prints when it fails goes to the log and to the report.
	command := "printf '%s' '" + values["set-output"] + values["set-env"] + values["mask"] + values["stop"] + "'; exit 3"
	run = w.Push("main", map[string]string{"infra/variables.yml": file + "command: " + strconv.QuoteToASCII(command) + "\n"})
	j = w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	w.wantHarmless(j, canary)
	w.WantNothingPending()
}

// wantArrived compares the values where they were to arrive.
func (w *actSetup) wantArrived(j journey, values map[string]string) {
	t := w.T
	t.Helper()
	var state struct {
		Outputs map[string]struct{ Value json.RawMessage }
	}
	fixture.Check(t, json.Unmarshal([]byte(w.State("shop/staging")), &state))
	var handed map[string]map[string]string
	fixture.Check(t, json.Unmarshal([]byte(j.handedOn), &handed))
	for place, raw := range map[string]string{
		"the variable": string(state.Outputs["values"].Value), "the file": string(state.Outputs["source"].Value), "the next job": handed["staging"]["values"],
	} {
		var got map[string]string
		if err := json.Unmarshal([]byte(raw), &got); err != nil {
			t.Errorf("%s: %v in %q", place, err, raw)
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("%s does not hold the values (-want +got):\n%s", place, diff)
		}
	}
}

// refuses pushes what the customer's own step refuses before anything is sent.
func (w *actSetup) refuses(canary string) {
	t := w.T
	t.Helper()
	file := "environments:\n  staging: {}\n"
	for key, text := range refusedTexts {
		file += fmt.Sprintf("%s: %s\n", strconv.QuoteToASCII(key), strconv.QuoteToASCII(text))
	}
	run := w.Push("main", map[string]string{"infra/variables.yml": file})
	requested := w.trigger(run, nil)
	if requested.wait() {
		t.Errorf("the workflow succeeded:\n%s", requested.log)
	}
	steps := actSteps(t, requested.record)
	if len(steps) != 1 || steps[0].exit != "3" || steps[0].outputs["outcome"] != "rejected" {
		t.Errorf("steps: %+v", steps)
	}
	w.wantHarmless(journey{asked: steps}, canary)
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: infra/variables.yml:")
	w.WantNoDispatch()
}

// mustBite shows that the text does its harm where a script is made of it, and that
// the tests would see it where a runner or a reader gets it as it is.
func (a attack) mustBite(t *testing.T, canary string) {
	t.Helper()
	if strings.Contains(a.text, "\n::") && len(fixture.CommandsIn(a.text)) == 0 {
		t.Errorf("the commands of %s are not seen", a.name)
	}
	if strings.Contains(a.text, "pwned") && len(fixture.Misreadings("`x "+a.text)) == 0 {
		t.Errorf("%s is not seen in a text", a.name)
	}
	if a.pasted == "" {
		return
	}
	_ = exec.CommandContext(t.Context(), "bash", "-c", fmt.Sprintf(strings.Replace(a.pasted, "%s", "%[1]s", 1), a.text)).Run() // it may well fail afterwards
	fixture.Check(t, os.Remove(filepath.Join(canary, "pwned-"+a.name)))
}

// hostilePull opens a pull request whose branch, title, text, commit message and
// files try the same.
func (w *actSetup) hostilePull(variables string) (fixture.WorkflowRun, int) {
	t := w.T
	t.Helper()
	const branch = "a'b\"c`touch${IFS}$CANARY/pwned-branch`$(touch${IFS}$CANARY/pwned-branch);${{github.token}}\u202e|&x"
	const text = "pwned\" '\n`touch $CANARY/pwned-text` $(touch $CANARY/pwned-text) ${{ github.token }}\n::set-output name=outcome::pwned\nghadelimiter\n\u202e"
	files := map[string]hub.File{"infra/variables.yml": {Content: []byte(variables)}}
	for _, name := range []string{"$(touch $CANARY_NAME)", "`touch $CANARY_NAME`", "'\"; touch $CANARY_NAME;", "::set-output name=outcome::pwned\n::add-mask::pwned", "\u202epwned", "-rf", "${{ github.token }}"} {
		files["infra/"+name+".txt"] = hub.File{Content: []byte(text)}
	}
	fixture.Must(w.Customer.Commit(branch, hub.Change{Files: files, Message: text}))(t)
	number := fixture.Must(w.Customer.OpenPull(hub.NewPull{Title: text, Body: text, Author: "casey", Head: branch}))(t)
	return w.pulled(number, branch), number
}

// pulled starts the run of a pull request that is open.
func (w *actSetup) pulled(number int, branch string) fixture.WorkflowRun {
	w.T.Helper()
	pr := fixture.Must(w.Customer.Pull(number))(w.T)
	run := fixture.Must(w.Customer.StartRun(hub.NewRun{Event: "pull_request", Path: ".github/workflows/trigger-infra.yml", HeadSHA: pr.Head, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(w.T)
	return fixture.WorkflowRun{Repo: w.Customer, Run: run, Event: fixture.Must(w.Customer.PullEvent(number, "opened", "casey"))(w.T), SHA: pr.Merge,
		Ref: fmt.Sprintf("refs/pull/%d/merge", number), Head: branch, Base: "main", PermitsIDToken: true}
}

// forgedInAct sends what everybody can send who has the token for dispatches, and
// gives an operator's form texts that try to be more than names. The manager's
// workflow rejects both, and nothing of it reaches the customer.
func forgedInAct(t *testing.T, w *actSetup) {
	w.obeysOldCommands, w.canary = true, t.TempDir()
	const text = "pwned\"'; touch $CANARY/pwned-form; `touch $CANARY/pwned-form` $(touch $CANARY/pwned-form)\n::set-output name=outcome::pwned\nghadelimiter\n\u202e"
	before := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t))
	sender := w.Token(hub.Token{Name: "mallory", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")})
	ask := map[string]any{"version": 1, "id": text, "repository": text, "repository_id": 4711, "path": text, "customer": text, "event": text, "commit": text, "ref": text, "mode": text, "run_id": 1, "run_attempt": 1}
	w.dispatch(sender, map[string]any{"request": ask, "proof": map[string]any{"token": text}})
	q := fixture.Must(w.Hub.NextRun(t.Context()))(t)
	fixture.Check(t, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	j := w.answer(fixture.WorkflowRun{Repo: q.Repo, Run: q.Run, Event: q.Run.Payload, SHA: q.Run.HeadSHA, Ref: "refs/heads/main"}, nil).end()
	w.wantRejected(j, "3")

	inputs := map[string]string{"customer": text, "environment": text, "stack": text, "commit": text, "mode": "apply", "confirm": text}
	w.wantRejected(w.manual(inputs), "2")
	if after := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t)); after != before {
		t.Errorf("the customer's repository has changed:\n%s\n%s", before, after)
	}
}

// wantRejected is a run of the manager that ends with its first step.
func (w *actSetup) wantRejected(j journey, exit string) {
	w.T.Helper()
	j.wantSteps(w.T, "fetch-vars", "report", "report --final")
	if fetched := j.answered[0]; j.manager || fetched.exit != exit || fetched.outputs["request-id"] != "" {
		w.T.Errorf("fetch-vars: %+v", fetched)
	}
	w.wantHarmless(j, w.canary)
}

// dispatch sends a repository_dispatch to the manager.
func (w *actSetup) dispatch(token string, payload map[string]any) {
	t := w.T
	t.Helper()
	body := fixture.Must(json.Marshal(map[string]any{"event_type": pipeline.DispatchEvent, "client_payload": payload}))(t)
	request := fixture.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.Hub.URL()+"/repos/"+fixture.ManagerSlug+"/dispatches", bytes.NewReader(body)))(t)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer := fixture.Must(http.DefaultClient.Do(request))(t)
	fixture.Check(t, answer.Body.Close())
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("the dispatch was answered with %s", answer.Status)
	}
}
