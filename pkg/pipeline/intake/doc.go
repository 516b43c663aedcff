// Package intake takes a change in: trigger in the customer's workflow, and fetch-vars
// in the manager's, which proves the origin and writes the request down.
package intake
