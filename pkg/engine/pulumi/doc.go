// Package pulumi is the engine of Pulumi, whose CLI it runs. A plan is a preview on a copy of
// the state, with a saved plan that the update may not exceed. The state of each target is in
// a backend of its own, beside the other objects of the target.
package pulumi
