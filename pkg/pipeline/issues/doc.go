// Package issues keeps at most one issue for each key in customers' repositories: it
// opens, edits, reopens and closes them within a budget of writes, and leaves alone
// what people have snoozed or closed.
package issues
