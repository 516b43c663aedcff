// Package fault tests every read and write of a request that fails, and every step that dies.
package fault
