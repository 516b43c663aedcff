// Package recovery tests what an operator does after a loss: the pages about recovery, renames and the end of targets.
package recovery
