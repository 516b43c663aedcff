// Package settings plans and writes the settings that the repository of a manager needs on GitHub:
// environments with reviewers and branch policies, variables, a ruleset on the default branch, and the
// settings of Actions. Each is one row of a plan of writes, see package change.
package settings
