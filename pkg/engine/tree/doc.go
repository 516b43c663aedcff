// Package tree copies the manager directory, computes its digest and bundles what a plan wrote.
package tree
