// Package pipeline is the domain of metapipe: requests, targets, plans, receipts and
// outcomes, the errors, and the interfaces through which the use cases know GitHub,
// Terraform and object stores. It imports nothing but the standard library. The use
// cases are the packages below it; none of them imports another.
package pipeline
