// Package drift tests drift: what has changed behind the back of the customers, and who is told.
package drift
