// Package pipeline is the domain of metapipe: requests, targets, plans,
// receipts and outcomes, and one use case per command (trigger, fetch-vars, plan,
// apply, report). It knows GitHub, Terraform and object stores only through the
// small interfaces that stand beside the use cases, and imports nothing but the
// standard library.
package pipeline
