// Package properties shows the custom properties of customers' repositories on GitHub, and defines and sets
// them as plans of writes.
package properties
