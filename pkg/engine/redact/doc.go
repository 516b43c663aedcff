// Package redact keeps secrets and control sequences out of what people read.
package redact
