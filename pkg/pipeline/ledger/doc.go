// Package ledger is the history of each target, a chain of hashes that can be audited,
// and what is remembered of the state that a target has.
package ledger
