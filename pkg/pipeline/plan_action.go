package pipeline

import "strings"

// Counts are numbers of managed resources, and of actions that are invoked. A
// replacement counts once in Replace, and neither in Create nor in Delete. One
// that keeps the old object counts in Forget too.
type Counts struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Replace int `json:"replace"`
	Delete  int `json:"delete"`
	Import  int `json:"import"`
	Move    int `json:"move"`
	Forget  int `json:"forget"`
	Invoke  int `json:"invoke,omitempty"`
	Other   int `json:"other,omitempty"` // actions that this version does not know
}

// CountChanges counts what a list of changes does.
func CountChanges(changes []ResourceChange) Counts {
	var n Counts
	for _, c := range changes {
		if c.Data {
			continue
		}
		n.Add(c.Action)
		if c.KeepsOld {
			n.Forget++
		}
		if c.PreviousAddress != "" {
			n.Move++
		}
		if c.IsImport() {
			n.Import++
		}
	}
	return n
}

// Add counts one action.
func (n *Counts) Add(a Action) {
	switch a {
	case ActionNone, ActionRead:
	case ActionCreate:
		n.Create++
	case ActionUpdate:
		n.Update++
	case ActionReplace:
		n.Replace++
	case ActionDelete:
		n.Delete++
	case ActionForget:
		n.Forget++
	default:
		n.Other++
	}
}

// Plus returns the sum of two counts.
func (n Counts) Plus(o Counts) Counts {
	return Counts{Create: n.Create + o.Create, Update: n.Update + o.Update, Replace: n.Replace + o.Replace, Delete: n.Delete + o.Delete,
		Import: n.Import + o.Import, Move: n.Move + o.Move, Forget: n.Forget + o.Forget, Invoke: n.Invoke + o.Invoke, Other: n.Other + o.Other}
}

// Careful reports whether a reviewer should look twice: something is destroyed,
// replaced or invoked, or happens in a way that this version does not know.
func (n Counts) Careful() bool { return n.Delete+n.Replace+n.Invoke+n.Other > 0 }

// Action is what will happen to a resource or an output. Values other than the
// constants are actions that this version does not know, joined with "+".
type Action string

// The actions, as Terraform's plan JSON combines them.
const (
	ActionNone    Action = "no-op" // only with a move or an import
	ActionCreate  Action = "create"
	ActionRead    Action = "read"
	ActionUpdate  Action = "update"
	ActionReplace Action = "replace"
	ActionDelete  Action = "delete"
	ActionForget  Action = "forget"
)

// Known reports whether a is one of the constants.
func (a Action) Known() bool {
	switch a {
	case ActionNone, ActionCreate, ActionRead, ActionUpdate, ActionReplace, ActionDelete, ActionForget:
		return true
	}
	return false
}

// Invocation is an action of a provider that an apply invokes: it acts on the
// infrastructure without changing a resource.
type Invocation struct {
	Address string `json:"address"`
	// Event is when it is invoked, as the tool names it ("BeforeUpdate"). It is empty
	// where no change of a resource triggers it.
	Event     string `json:"event,omitempty"`
	Resource  string `json:"resource,omitempty"`   // address of the one that triggers it
	OnFailure string `json:"on_failure,omitempty"` // "halt", "taint" or "continue", as the tool names it
	// Deferred is why the tool put it off; empty when the apply invokes it.
	Deferred  string            `json:"deferred,omitempty"`
	Arguments []AttributeChange `json:"arguments,omitempty"` // After only
}

// Moment is the event in words: "before update"; empty without one.
func (i Invocation) Moment() string {
	var out strings.Builder
	for n, r := range i.Event {
		if r >= 'A' && r <= 'Z' {
			if n > 0 {
				out.WriteByte(' ')
			}
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return strings.ReplaceAll(out.String(), "_", " ")
}
