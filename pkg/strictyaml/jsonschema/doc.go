// Package jsonschema is github.com/santhosh-tekuri/jsonschema/v6 with one change: the
// schemas of the drafts are compiled for the first compiler, and not whenever the program
// starts (docs/decisions/0008-copy-of-the-schema-validator.md).
//
// copy_test.go holds the change, writes the copy with -update, and fails when the copy is
// not that of the version in go.mod.
package jsonschema
