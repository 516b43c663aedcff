// Package fleetstatus says how each target of the fleet stands now, from the store alone.
package fleetstatus
