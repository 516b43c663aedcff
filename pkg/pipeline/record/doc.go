// Package record is what lies in the store: the only package that builds a key, and
// the one that reads each record with its signature verified.
package record
