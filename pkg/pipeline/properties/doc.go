// Package properties defines and sets custom properties of customers' repositories on GitHub, as plans
// of writes.
package properties
