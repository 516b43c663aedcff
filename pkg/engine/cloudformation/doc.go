// Package cloudformation is the engine of AWS CloudFormation: a plan is a change set, and an apply
// executes that change set and nothing else. There is no process: the tool is the API of AWS.
package cloudformation
