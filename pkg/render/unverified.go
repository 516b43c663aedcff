package render

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Unverified is the job summary of a request whose origin was not proved. Only the
// manager sees it, but all of it comes from outside.
func Unverified(u record.UnverifiedRequest) string {
	return "### ❌ Request rejected: " + code(string(u.Reason)) + "\n\n" +
		fence("text", clean(pipeline.PublicMessage(u.Message), kept)+"\n") + "\nNothing was written to any customer's repository.\n"
}

// Terminal makes text from outside safe to print: no control characters, no
// escape sequences and no reordering of what is read. Lines stay.
func Terminal(s string) string { return clean(s, kept) }

// TerminalLine is Terminal for what stands on one line, such as in a table: line
// breaks and tabs become spaces, so that no one can add a row.
func TerminalLine(s string) string { return clean(s, toSpaces) }
