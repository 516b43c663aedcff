// Package change writes values outside of the store as a plan of writes: what is to be written where,
// from which value to which, and why. A plan is shown first. When it is applied, each value is read
// again right before its batch and read back after it, both values are recorded in a ledger, and the
// way back is kept. It does not know what the values are: a Writer does.
package change
