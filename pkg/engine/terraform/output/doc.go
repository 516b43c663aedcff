// Package output reads what the tool prints.
package output
