// Package scans looks at many targets in several jobs: it lists them, shares them out
// to shards, goes on where a job was interrupted, and merges the results with what was
// known before. It does not know what is looked for.
package scans
