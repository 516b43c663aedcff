// Package provision plans and writes the stacks in Spacelift that run targets: what metapipe.yml, the
// customers' files and their properties ask for, compared with what is there. A stack is one row of a
// plan of writes, see package change. It disables what is not wanted any more, and deletes only what
// someone names.
package provision
