// Package starter makes the first files of a manager and of a customer: what `metapipe init` writes.
package starter
