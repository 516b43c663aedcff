// Package script tests what a user does at a terminal, script by script of testdata/e2e.
package script
