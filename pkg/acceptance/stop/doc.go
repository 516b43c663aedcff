// Package stop tests steps that are stopped or killed, and what is left of them: locks, files, open requests.
package stop
