// Package drift compares the fleet with what was applied last: scan, judge, issues and
// remediation.
package drift
