// Package jsonvalue reads JSON as a stream and writes values with the marks beside them.
package jsonvalue
