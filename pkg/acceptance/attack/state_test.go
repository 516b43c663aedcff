package attack

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// stored are the files of the store whose keys match a pattern, such as
// shop/staging/applied/*.
func (a *attempt) stored(pattern string) []string {
	a.T.Helper()
	found := fixture.Must(filepath.Glob(filepath.Join(a.Store, filepath.FromSlash(pattern))))(a.T)
	if len(found) == 0 {
		a.T.Fatalf("the store has nothing like %s", pattern)
	}
	return found
}

// takeAway deletes objects of the store: take-away PATTERN.
func (a *attempt) takeAway(args []string) {
	for _, file := range a.stored(args[0]) {
		fixture.Check(a.T, os.RemoveAll(file))
	}
}

// save copies objects of the store aside: save PATTERN.
func (a *attempt) save(args []string) {
	for _, file := range a.stored(args[0]) {
		rel := fixture.Must(filepath.Rel(a.Store, file))(a.T)
		to := filepath.Join(a.Store+".saved", rel)
		fixture.Check(a.T, os.MkdirAll(filepath.Dir(to), 0o700))
		fixture.Check(a.T, os.WriteFile(to, fixture.Must(os.ReadFile(file))(a.T), 0o600))
	}
}

// layBack lays saved objects into the store, over what is there: lay-back PATTERN.
func (a *attempt) layBack(args []string) {
	saved := fixture.Must(filepath.Glob(filepath.Join(a.Store+".saved", filepath.FromSlash(args[0]))))(a.T)
	if len(saved) == 0 {
		a.T.Fatalf("nothing like %s was saved", args[0])
	}
	for _, file := range saved {
		to := filepath.Join(a.Store, fixture.Must(filepath.Rel(filepath.Join(a.Store+".saved"), file))(a.T))
		fixture.Check(a.T, os.MkdirAll(filepath.Dir(to), 0o700))
		a.overwrite(to, fixture.Must(os.ReadFile(file))(a.T))
	}
}

// rewrite replaces a text in objects of the store: rewrite PATTERN OLD NEW.
func (a *attempt) rewrite(args []string) {
	for _, file := range a.stored(args[0]) {
		before := string(fixture.Must(os.ReadFile(file))(a.T))
		after := strings.ReplaceAll(before, args[1], args[2])
		if before == after {
			a.T.Fatalf("%s does not hold %q", file, args[1])
		}
		a.overwrite(file, []byte(after))
	}
}

// planRefused plans, which is refused: plan-refused ENV REASON TEXT... No plan is shown, the
// state stays, the customer is told, and the ledger has it.
func (a *attempt) planRefused(args []string) {
	a.T.Helper()
	env, reason, customer := args[0], args[1], a.r.Customer
	before := a.State(customer + "/" + env)
	refused := a.planTarget(4, env)
	refused.Want(a.T, "outcome=refused", "reason="+reason, "receipt=")
	refused.Says(a.T, args[2:]...)
	if a.State(customer+"/"+env) != before {
		a.T.Error("a refused plan has changed the state")
	}
	a.applyJob(4, env)
	a.final()
	statuses := a.Statuses(a.r.Trigger.Run.HeadSHA)
	if printed := cmp.Or(statuses["infra/terraform-deploy/"+env], statuses["infra/terraform-deploy/"+customer+"/"+env]); !strings.HasPrefix(printed, "failure") && !strings.HasPrefix(printed, "error") {
		a.T.Errorf("the customer is told %q", printed)
	}
	a.recorded(a.r.Run, customer, env, ledger.Refused, pipeline.Reason(reason))
	a.verdicts++
}

// drifted looks for drift: drifted ENV KIND. It is of that kind alone, and nothing is
// remediated.
func (a *attempt) drifted(args []string) {
	a.T.Helper()
	j := a.job(a.r.Run).With(a.with...)
	log := j.Do(6, "drift", "--json", "--customer", "shop", "--environment", args[0])
	scan := fixture.ScanOf(a.T, log)
	if len(scan.Results) != 1 || !slices.Equal(scan.Results[0].Kinds, []pipeline.DriftKind{pipeline.DriftKind(args[1])}) {
		a.T.Errorf("drift found %+v", scan.Results)
	}
	a.verdicts++
}
