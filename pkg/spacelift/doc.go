// Package spacelift is the client of Spacelift's GraphQL API: stacks with their values, policies, contexts,
// dependencies and drift schedules. The operations and their fields are those that Spacelift's own
// clients send, its Terraform provider and spacectl.
package spacelift
