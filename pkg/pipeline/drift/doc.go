// Package drift compares the fleet with what was applied last: list, scan, judge,
// summary, issues and remediation.
package drift
