// Package statefile reads and compares state files.
package statefile
