package attack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// plan plans environments of the request that was accepted last, in jobs with the
// variables that `with` has set.
func (a *attempt) plan(environments []string) {
	a.T.Helper()
	for _, env := range environments {
		p := a.planTarget(0, env)
		a.plans[env], a.receipts[env] = p, p.Outputs["receipt"]
	}
}

// target is a job that works on a target.
func (a *attempt) target() *fixture.Job { return a.job(a.r.Run).With(a.with...) }

// approve says which receipt was approved; `none` compares nothing.
func (a *attempt) approve(args []string) { a.receipts[args[0]] = args[1] }

// withReceiptOf says that the receipt of one target was approved for another one:
// with-receipt-of FROM TO.
func (a *attempt) withReceiptOf(args []string) {
	if a.receipts[args[0]] == "" {
		a.T.Fatalf("there is no receipt of %s", args[0])
	}
	a.receipts[args[1]] = a.receipts[args[0]]
}

// reviewers sets who must review an environment: reviewers ENV [LOGIN...].
func (a *attempt) reviewers(args []string) {
	for _, login := range args[1:] {
		fixture.Check(a.T, a.Manager.Grant(login, hub.Write))
	}
	fixture.Check(a.T, a.Manager.SetEnvironment(args[0]+"-apply", hub.EnvironmentRules{Reviewers: args[1:]}))
}

// review lets someone approve the apply of a target: review ENV LOGIN, or ENV/STACK LOGIN.
func (a *attempt) review(args []string) {
	name, stack, _ := strings.Cut(args[0], "/")
	env := name + "-apply"
	if at := fixture.Must(a.Manager.EnterEnvironment(a.r.Run.Run.ID, strings.TrimSuffix("apply-"+stack, "-"), env))(a.T); at != hub.GateWaiting {
		a.T.Fatalf("the job is %s", at)
	}
	fixture.Check(a.T, a.Manager.Review(a.r.Run.Run.ID, env, args[1], true, ""))
}

// withVariables sets variables of the next target jobs: with NAME=VALUE...
func (a *attempt) withVariables(args []string) { a.with = args }

func (a *attempt) apply(exit int, env string) fixture.Result {
	a.T.Helper()
	a.announce(env)
	return a.applyJob(exit, env)
}

// refused tries to apply: refused ENV REASON TEXT... Nothing changes, the customer
// is told, and the ledger of the target has it.
// unreported tries to report, which writes nothing anywhere, and to apply:
// unreported ENV TEXT...
// applied applies what was approved: applied ENV.
func (a *attempt) applied(args []string) {
	a.T.Helper()
	a.apply(0, args[0]).Want(a.T, "outcome=applied")
	a.final()
	a.recorded(a.r.Run, "shop", args[0], ledger.Applied, "")
}

// holds wants a text in the state of a target: state ENV TEXT.
func (a *attempt) holds(args []string) {
	if state := a.State("shop/" + args[0]); !strings.Contains(state, args[1]) {
		a.T.Errorf("the state does not hold %q:\n%s", args[1], state)
	}
}

// toolShows plays a tool that puts more into the JSON of a plan: tool-shows FILE,
// where the file of the script holds members of the document.
func (a *attempt) toolShows(args []string) {
	dir := a.T.TempDir()
	members, tool := filepath.Join(dir, "members"), filepath.Join(dir, "terraform")
	fixture.Check(a.T, os.WriteFile(members, []byte(strings.ReplaceAll(strings.TrimSpace(a.files[args[0]]), "\n", " ")), 0o600))
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" != show ]; then exec %[1]s \"$@\"; fi\n%[1]s \"$@\" >%[2]s.out || exit\nprintf '{'; cat %[2]s; printf ','; tail -c +2 %[2]s.out\n",
		fixture.Must(exec.LookPath("terraform"))(a.T), members)
	fixture.Check(a.T, os.WriteFile(tool, []byte(script), 0o700))
	a.with = []string{"METAPIPE_TOOL=" + tool}
}

// failed applies, and the tool fails: failed ENV.
func (a *attempt) failed(args []string) {
	a.T.Helper()
	a.apply(1, args[0]).Want(a.T, "outcome=failed")
	a.final()
	a.recorded(a.r.Run, "shop", args[0], ledger.Failed, "")
}

// part is a target as a part of a path: "staging.network" for "staging/network".
func part(target string) string { return strings.ReplaceAll(target, "/", ".") }

// folder is where the plan of a target of the present request lies.
func (a *attempt) folder(env string) string {
	a.T.Helper()
	found := fixture.Must(filepath.Glob(filepath.Join(a.Store, "shop", part(env), "plans", a.r.ID, "[0-9]*")))(a.T)
	if len(found) == 0 {
		a.T.Fatalf("there is no plan of %s", env)
	}
	return found[len(found)-1]
}

// keep copies the plan of a target aside: keep ENV NAME.
func (a *attempt) keep(args []string) {
	dir := filepath.Join(a.T.TempDir(), args[1])
	fixture.Check(a.T, os.CopyFS(dir, os.DirFS(a.folder(args[0]))))
	a.folders[args[1]] = dir
}

// copyObject replaces objects of a plan by those of a kept one: copy NAME ENV
// OBJECT...
func (a *attempt) copyObject(args []string) {
	for _, object := range args[2:] {
		a.overwrite(filepath.Join(a.folder(args[1]), object), fixture.Must(os.ReadFile(filepath.Join(a.folders[args[0]], object)))(a.T))
	}
}

func (a *attempt) overwrite(file string, content []byte) {
	a.T.Helper()
	fixture.Check(a.T, os.RemoveAll(file))
	fixture.Check(a.T, os.WriteFile(file, content, 0o600))
}

func (a *attempt) object(args []string) (file string, content []byte) {
	a.T.Helper()
	if strings.Contains(args[1], "/") { // of the store, and not of the plan
		file = filepath.Join(a.Store, filepath.FromSlash(args[1]))
	} else {
		file = filepath.Join(a.folder(args[0]), args[1])
	}
	return file, fixture.Must(os.ReadFile(file))(a.T)
}

// flip flips one bit in the middle of an object, or of the byte at a place in it: flip ENV
// OBJECT [PLACE].
func (a *attempt) flip(args []string) {
	file, content := a.object(args)
	at := len(content) / 2
	if len(args) > 2 {
		at = fixture.Must(strconv.Atoi(args[2]))(a.T)
	}
	content[at] ^= 1
	a.overwrite(file, content)
}

// cut keeps the first half of an object: cut ENV OBJECT.
func (a *attempt) cut(args []string) {
	file, content := a.object(args)
	a.overwrite(file, content[:len(content)/2])
}

// edit replaces a text in an object: edit ENV OBJECT OLD NEW.
func (a *attempt) edit(args []string) {
	file, content := a.object(args)
	after := bytes.Replace(content, []byte(args[2]), []byte(args[3]), 1)
	if bytes.Equal(content, after) {
		a.T.Fatalf("%s does not hold %q:\n%s", file, args[2], content)
	}
	a.overwrite(file, after)
}

// lay writes an object beside a plan, or in its place: lay ENV OBJECT TEXT.
func (a *attempt) lay(args []string) {
	a.overwrite(filepath.Join(a.folder(args[0]), args[1]), []byte(args[2]))
}

// disbelieved reports, and a record in the store is not believed: disbelieved ENV
// TEXT...
// remove deletes objects of a plan: remove ENV OBJECT...
func (a *attempt) removeObjects(args []string) {
	for _, object := range args[1:] {
		fixture.Check(a.T, os.Remove(filepath.Join(a.folder(args[0]), object)))
	}
}

// reseal is a writer of the store who has the key: every object of a kept plan is
// sealed anew for the present request, under a receipt that says what is true of
// it: reseal NAME ENV.
func (a *attempt) reseal(args []string) {
	t := a.T
	sealer := fixture.Must(store.NewSealer(fixture.Must(store.ParseKey(a.Key))(t)))(t)
	from, to := a.folders[args[0]], a.folder(args[1])
	old, planned := *plannedIn(t, from).Receipt, plannedIn(t, to)
	genuine, forged := *planned.Receipt, old
	forged.Request, forged.Commit, forged.Blob, forged.Expires, forged.PlannedAt = genuine.Request, genuine.Commit, genuine.Blob, genuine.Expires, genuine.PlannedAt
	bound := func(r pipeline.Receipt, object string) pipeline.Binding {
		return pipeline.Binding{Target: r.Target(), Data: append([]byte(object+"\x00"), r.Bytes()...)}
	}
	const object = "artifacts.sealed"
	sealed := fixture.Must(os.ReadFile(filepath.Join(from, object)))(t)
	plaintext := fixture.Must(io.ReadAll(fixture.Must(sealer.Unseal(t.Context(), bytes.NewReader(sealed), bound(old, object)))(t)))(t)
	var again bytes.Buffer
	w := fixture.Must(sealer.Seal(t.Context(), &again, bound(forged, object)))(t)
	fixture.Must(w.Write(plaintext))(t)
	fixture.Check(t, w.Close())
	a.overwrite(filepath.Join(to, object), again.Bytes())
	planned.Receipt = &forged
	fixture.Check(t, os.Remove(filepath.Join(to, record.ObjectPlanned)))
	records := record.Records{Store: fixture.Must(store.NewDirectory(a.Store))(t), Sealer: sealer}
	prefix := filepath.ToSlash(fixture.Must(filepath.Rel(a.Store, to))(t)) + "/"
	fixture.Check(t, records.CreateAttached(t.Context(), record.PlanAttempt{Target: forged.Target(), Prefix: prefix}, record.ObjectPlanned, planned, []byte("{}")))
}

// plannedIn is how the plan in a folder ended, as its record says.
func plannedIn(t *testing.T, folder string) record.Result {
	t.Helper()
	var stored struct{ Record record.Result }
	fixture.Check(t, json.Unmarshal(fixture.Must(os.ReadFile(filepath.Join(folder, record.ObjectPlanned)))(t), &stored))
	return stored.Record
}

// rewriteLedger changes a text in all entries of a target's ledger and chains them
// anew: rewrite-ledger ENV OLD NEW.
func (a *attempt) rewriteLedger(args []string) {
	dir := filepath.Join(a.Store, "shop", args[0], "ledger")
	entries := fixture.ReadChain(a.T, dir)
	entries.Rewrite(a.T, nil, func(e *ledger.Entry) { e.Actor = strings.ReplaceAll(e.Actor, args[1], args[2]) })
	fixture.Check(a.T, os.RemoveAll(dir))
	entries.Write(a.T, dir)
}

// found lets the ledger be compared with GitHub: found ENV TEXT...
// harmless reports for the last time, and looks at all that people and runners
// read: harmless ENV. The ledger knows of the request.
// secret is a text that must not get out, neither as it is nor encoded.
func (a *attempt) secret(args []string) {
	for _, s := range args {
		a.secrets = append(a.secrets, s, base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s))
	}
}

// shown wants texts in the last summaries of the manager.
// comments counts the comments on a pull request by their author: comments PULL
// LOGIN NUMBER.
// paste lets a stranger copy our comment, marker and all, onto a pull request:
// paste PULL.
func (a *attempt) paste(args []string) {
	a.T.Helper()
	body := ""
	for _, pr := range a.Customer.Snapshot().Pulls {
		for _, c := range pr.Comments {
			if c.Author == "metapipe-bot" {
				body = c.Body
			}
		}
	}
	if body == "" {
		a.T.Fatal("there is no comment to copy")
	}
	a.comment(args[0], "mallory", strings.ReplaceAll(body, "Planned", "Approved, nothing to see"))
}

// comment is a comment by someone who may read the customer's repository.
func (a *attempt) comment(pull, login, body string) {
	a.T.Helper()
	fixture.Check(a.T, a.Customer.Grant(login, hub.Read))
	a.sent++
	secret := a.Token(hub.Token{Name: fmt.Sprintf("%s comments %d", login, a.sent), Kind: hub.Classic, User: login, Scopes: []string{"repo"}})
	post := fixture.Must(http.NewRequestWithContext(a.T.Context(), http.MethodPost, a.Hub.URL()+"/repos/"+a.Customer.Slug()+"/issues/"+pull+"/comments",
		bytes.NewReader(fixture.Must(json.Marshal(map[string]string{"body": body}))(a.T))))(a.T)
	post.Header.Set("Authorization", "Bearer "+secret)
	post.Header.Set("Content-Type", "application/json")
	answer := fixture.Must(http.DefaultClient.Do(post))(a.T)
	fixture.Check(a.T, answer.Body.Close())
	if answer.StatusCode != http.StatusCreated {
		a.T.Fatalf("GitHub says %s", answer.Status)
	}
}
