package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// stored are the files of the store whose keys match a pattern, such as
// shop/staging/applied/*.
func (a *attempt) stored(pattern string) []string {
	a.t.Helper()
	found := must(filepath.Glob(filepath.Join(a.store, filepath.FromSlash(pattern))))(a.t)
	if len(found) == 0 {
		a.t.Fatalf("the store has nothing like %s", pattern)
	}
	return found
}

// takeAway deletes objects of the store: take-away PATTERN.
func (a *attempt) takeAway(args []string) {
	for _, file := range a.stored(args[0]) {
		check(a.t, os.RemoveAll(file))
	}
}

// save copies objects of the store aside: save PATTERN.
func (a *attempt) save(args []string) {
	for _, file := range a.stored(args[0]) {
		rel := must(filepath.Rel(a.store, file))(a.t)
		to := filepath.Join(a.store+".saved", rel)
		check(a.t, os.MkdirAll(filepath.Dir(to), 0o700))
		check(a.t, os.WriteFile(to, must(os.ReadFile(file))(a.t), 0o600))
	}
}

// layBack lays saved objects into the store, over what is there: lay-back PATTERN.
func (a *attempt) layBack(args []string) {
	saved := must(filepath.Glob(filepath.Join(a.store+".saved", filepath.FromSlash(args[0]))))(a.t)
	if len(saved) == 0 {
		a.t.Fatalf("nothing like %s was saved", args[0])
	}
	for _, file := range saved {
		to := filepath.Join(a.store, must(filepath.Rel(filepath.Join(a.store+".saved"), file))(a.t))
		check(a.t, os.MkdirAll(filepath.Dir(to), 0o700))
		a.overwrite(to, must(os.ReadFile(file))(a.t))
	}
}

// rewrite replaces a text in objects of the store: rewrite PATTERN OLD NEW.
func (a *attempt) rewrite(args []string) {
	for _, file := range a.stored(args[0]) {
		before := string(must(os.ReadFile(file))(a.t))
		after := strings.ReplaceAll(before, args[1], args[2])
		if before == after {
			a.t.Fatalf("%s does not hold %q", file, args[1])
		}
		a.overwrite(file, []byte(after))
	}
}

// planRefused plans, which is refused: plan-refused ENV REASON TEXT... No plan is shown, the
// state stays, the customer is told, and the ledger has it.
func (a *attempt) planRefused(args []string) {
	a.t.Helper()
	env, reason, customer := args[0], args[1], a.r.customer
	before := a.state(customer + "/" + env)
	refused := a.target().do(4, a.r.args("plan", env)...)
	refused.want(a.t, "outcome=refused", "reason="+reason, "receipt=")
	refused.says(a.t, args[2:]...)
	if a.state(customer+"/"+env) != before {
		a.t.Error("a refused plan has changed the state")
	}
	a.target().do(4, a.r.args("apply", env)...)
	a.r.report("--final")
	statuses := a.statuses(a.r.trigger.run.HeadSHA)
	if printed := cmp.Or(statuses["infra/terraform-deploy/"+env], statuses["infra/terraform-deploy/"+customer+"/"+env]); !strings.HasPrefix(printed, "failure") && !strings.HasPrefix(printed, "error") {
		a.t.Errorf("the customer is told %q", printed)
	}
	a.recorded(a.r.run, customer, env, ledger.Refused, pipeline.Reason(reason))
	a.verdicts++
}

// drifted looks for drift: drifted ENV KIND. It is of that kind alone, and nothing is
// remediated.
func (a *attempt) drifted(args []string) {
	a.t.Helper()
	j := a.job(a.r.run).with(a.with...)
	log := j.do(6, "drift", "--json", "--customer", "shop", "--environment", args[0])
	scan := scanOf(a.t, log)
	if len(scan.Results) != 1 || !slices.Equal(scan.Results[0].Kinds, []pipeline.DriftKind{pipeline.DriftKind(args[1])}) {
		a.t.Errorf("drift found %+v", scan.Results)
	}
	a.verdicts++
}
