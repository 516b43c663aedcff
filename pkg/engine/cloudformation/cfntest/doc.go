// Package cfntest is a double of AWS CloudFormation for tests: a server of the query protocol with the state and the
// rules of the original, as its documentation says them. What it does not support it refuses.
package cfntest
