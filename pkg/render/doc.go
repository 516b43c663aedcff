// Package render turns pipeline values into what people and programs read:
// pull request comments, job summaries, commit status descriptions, terminal
// text and JSON. It is pure: no file, no clock, no network.
//
// Almost every string in a report comes from someone else: resource addresses
// and values from providers, messages that quote a customer's file. No such
// string reaches the output except through the encoder of its sink:
//
//	prose    a sentence in Markdown; words that could mean something become code
//	code     a Markdown code span
//	cell…    the same two inside a table
//	fence    a fenced block
//	htmlCode text inside <summary>
//	plain    a terminal line or a commit status
//	address  the target of a link
//
// Texts that have a size limit are never built whole and cut afterwards. A
// budget is shared out in the order of importance (what failed, what is
// destroyed or replaced, other facts, differences), and every list knows a full
// and a short form of each entry and a line for those that found no room.
package render
