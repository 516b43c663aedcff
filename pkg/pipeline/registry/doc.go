// Package registry is which name a repository has in the store, and the rename of a
// customer.
package registry
