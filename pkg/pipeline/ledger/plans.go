package ledger

import (
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// OpenPlan is a plan that can be applied, or is being applied. An apply begins with an entry of the
// ledger, and each entry has one writer: of those who want to apply a plan one wins. So a plan is
// applied at most once, whoever dies in between, and a lock that was in the way costs no plan.
type OpenPlan struct {
	Request pipeline.RequestID `json:"request"`
	Receipt string             `json:"receipt"` // its SHA-256, hexadecimal
	// Attempt is the number of the entry of the last attempt to apply it, 0 where there was none.
	Attempt  int  `json:"attempt,omitempty"`
	Applying bool `json:"applying,omitempty"` // the attempt goes on, or died
}

// maxPlans is how many plans a fold remembers. More requests wait for one target only where they
// are ordered anew again and again. The plan that is left out cannot be applied any more.
const maxPlans = 4

// PlanEffect is what an entry does to the plan of its request.
type PlanEffect string

// The effects. None but Free lets the plan be applied again.
const (
	PlanFree    PlanEffect = "free"    // an apply has changed nothing, for a reason that does not lie in the plan
	PlanUsed    PlanEffect = "used"    // an apply has ended, or cannot begin
	PlanRevoked PlanEffect = "revoked" // a newer request or the sweep has taken it out of use
)

func (p PlanEffect) isKnown() bool {
	return slices.Contains([]PlanEffect{"", PlanFree, PlanUsed, PlanRevoked}, p)
}

// Plan is the plan of a request that can be applied, or is being applied.
func (f Fold) Plan(id pipeline.RequestID) (OpenPlan, bool) {
	at := slices.IndexFunc(f.Plans, func(p OpenPlan) bool { return p.Request == id })
	if at < 0 {
		return OpenPlan{}, false
	}
	return f.Plans[at], true
}

// plansAfter are the plans behind the entry e.
func (f Fold) plansAfter(e Entry) []OpenPlan {
	p, open := f.Plan(e.Request)
	others := slices.DeleteFunc(slices.Clone(f.Plans), func(p OpenPlan) bool { return p.Request == e.Request })
	switch {
	case e.answersForState(): // it may stand behind an entry that no one has verified
		return nil
	case e.Event == Planned && e.Outcome == pipeline.OutcomeWaiting && e.Receipt != "":
		p = OpenPlan{Request: e.Request, Receipt: e.Receipt}
		for len(others) >= maxPlans { // the oldest, and one that is being applied last of all
			at := max(0, slices.IndexFunc(others, func(p OpenPlan) bool { return !p.Applying }))
			others = slices.Delete(others, at, at+1)
		}
	case e.Event == Planned, open && e.carriedOut() && e.Receipt == p.Receipt:
		return others
	case !open:
		return f.Plans
	case e.Event == Applying:
		p.Attempt, p.Applying = e.Sequence, true
	case e.Plan == "", e.Receipt != "" && e.Receipt != p.Receipt, p.Applying && e.Attempt != p.Attempt, !p.Applying && e.Attempt != 0:
		return f.Plans // it ends another attempt than the last one
	case e.Plan != PlanFree:
		return others
	case p.Applying:
		p.Applying = false
	default:
		p.Attempt = e.Sequence
	}
	return append(others, p)
}
