// Package tool finds, installs and runs the binary that plans and applies.
package tool
