package pipeline

import "slices"

// Composition is what controllers of a cluster make of the objects of a stack, such as what Crossplane composes: a
// tree, written from its roots down.
type Composition struct {
	Objects []ComposedObject `json:"objects,omitempty"`
	// Cut: there is more than the list holds.
	Cut bool `json:"cut,omitempty"`
}

// ComposedObject is one object of a Composition.
type ComposedObject struct {
	Address string `json:"address"`
	// Depth is 0 for an object of the stack. Any other one belongs to the last object before it that is less deep.
	Depth int `json:"depth,omitempty"`
	// Resource is the name that the composition has for it, where that is known.
	Resource string `json:"resource,omitempty"`
	// State is empty where the object is predicted.
	State ComposedState `json:"state,omitempty"`
	// Detail is what the object says of itself in its conditions, or why nothing is known of it.
	Detail string `json:"detail,omitempty"`
}

// ComposedState is how far an object has got.
type ComposedState string

// The states.
const (
	ComposedReady    ComposedState = "ready"
	ComposedNotReady ComposedState = "not-ready"
	ComposedMissing  ComposedState = "missing" // another object names it, and it is not there
	ComposedUnknown  ComposedState = "unknown" // it could not be looked at
)

// Known reports whether s is one of the states.
func (s ComposedState) Known() bool {
	return slices.Contains([]ComposedState{ComposedReady, ComposedNotReady, ComposedMissing, ComposedUnknown}, s)
}

// Redacted returns what may be shown at a level: which objects there are, and how far they have got.
func (c Composition) Redacted(l Redaction) Composition {
	if !l.Hides() || c.Objects == nil {
		return c
	}
	bare := Composition{Cut: c.Cut, Objects: make([]ComposedObject, len(c.Objects))}
	for i, o := range c.Objects {
		bare.Objects[i] = ComposedObject{Address: o.Address, Depth: o.Depth, Resource: o.Resource, State: o.State}
	}
	return bare
}
