// Package content compares the files of a customer's checkout with what a repository of
// its content type may hold. It reads names and never contents, and follows no link.
package content
