package provision

import (
	"encoding/json"
	"slices"
)

// Action is what a step does.
type Action string

// The actions. Each is one request.
const (
	Create      Action = "create"
	Disable     Action = "disable"
	Enable      Action = "enable"
	Update      Action = "update"
	SetValue    Action = "set value"
	DropValue   Action = "drop value"
	AttachPol   Action = "attach policy"
	AttachCtx   Action = "attach context"
	Need        Action = "add dependency"
	NoNeed      Action = "drop dependency"
	CreateDrift Action = "create drift schedule"
	UpdateDrift Action = "update drift schedule"
	DiscardRuns Action = "discard runs"
	Delete      Action = "delete"
)

// Step is one request about a stack.
type Step struct {
	Action Action
	Stack  Stack           // of Create and Update
	Kept   json.RawMessage // of Update: see Found; nil: of a stack that is new
	Value  Content         // of SetValue
	// ID is that of the value, the policy, the context, the stack that is needed, or the dependency.
	ID       string
	Priority int   // of AttachCtx: contexts with a lower number win
	Drift    Drift // of both actions for drift
	Destroy  bool  // of Delete: destroy the resources first
	// Unprotect, of Update: the stack can be deleted after it.
	Unprotect bool
}

// steps bring a stack from what was found to what is wanted; found is nil where there is none. A stack that
// is incomplete is disabled: otherwise the next push to the repository would start a run of it.
func steps(found *Found, old, next Stack, w Wanted) []Step {
	all := begin(found, old, next)
	all = append(all, valueSteps(old, next, w)...)
	for _, id := range missing(old.Policies, next.Policies) {
		all = append(all, Step{Action: AttachPol, ID: id})
	}
	for _, id := range missing(old.Contexts, next.Contexts) {
		all = append(all, Step{Action: AttachCtx, ID: id, Priority: slices.Index(next.Contexts, id)})
	}
	switch { // after the policies, which a change of autodeploy may need
	case found == nil && next.Autodeploy:
		all = append(all, Step{Action: Update, Stack: next})
	case found != nil && !sameInput(old, next):
		all = append(all, Step{Action: Update, Stack: next, Kept: found.Kept})
	}
	for _, id := range missing(old.Needs, next.Needs) {
		all = append(all, Step{Action: Need, ID: id})
	}
	for _, id := range missing(next.Needs, old.Needs) {
		all = append(all, Step{Action: NoNeed, ID: found.Needs[id]})
	}
	if next.Drift != nil && (old.Drift == nil || !sameDrift(*old.Drift, *next.Drift)) {
		action := CreateDrift
		if old.Drift != nil {
			action = UpdateDrift
		}
		all = append(all, Step{Action: action, Drift: *next.Drift})
	}
	if next.Enabled {
		return append(all, Step{Action: Enable})
	}
	return all
}

// begin makes sure that no run begins while the stack is incomplete. A new one cannot be made disabled: a push before
// it is disabled would start a run, which must not apply, and is discarded when the setup goes on.
func begin(found *Found, old, next Stack) (all []Step) {
	if found == nil {
		next.Autodeploy = false
		return []Step{{Action: Create, Stack: next}, {Action: Disable}}
	}
	if old.Enabled {
		all = append(all, Step{Action: Disable})
	}
	if len(old.Values) == 0 && found.Blocker != "" {
		all = append(all, Step{Action: DiscardRuns})
	}
	return all
}

// valueSteps take away what is not wanted any more, and set what differs. Spacelift documents no way to
// change a value: one that is there is deleted before the new one is added, as its Terraform provider does.
func valueSteps(old, next Stack, w Wanted) (all []Step) {
	for _, was := range old.Values {
		if !slices.Contains(next.Values, was) {
			all = append(all, Step{Action: DropValue, ID: was.ID})
		}
	}
	for _, value := range next.Values {
		if slices.Contains(old.Values, value) {
			continue
		}
		if content, known := w.content(value.ID); known {
			all = append(all, Step{Action: SetValue, ID: value.ID, Value: content})
		}
	}
	return all
}

// missing are the items of wanted that have lacks.
func missing(has, wanted []string) (out []string) {
	for _, id := range wanted {
		if !slices.Contains(has, id) {
			out = append(out, id)
		}
	}
	return out
}

// sameInput reports whether an update would change nothing.
func sameInput(a, b Stack) bool {
	return a.Name == b.Name && a.Description == b.Description && a.Space == b.Space && a.Namespace == b.Namespace && a.Repository == b.Repository && a.Branch == b.Branch &&
		a.Root == b.Root && a.Integration == b.Integration && a.WorkerPool == b.WorkerPool && slices.Equal(a.Labels, b.Labels) && a.Tool == b.Tool && a.Version == b.Version &&
		a.Autodeploy == b.Autodeploy
}

func sameDrift(a, b Drift) bool {
	return a.Reconcile == b.Reconcile && slices.Equal(a.Schedule, b.Schedule)
}
