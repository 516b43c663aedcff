package strictyaml

import (
	"strings"
)

// plain is a message of the library in plain words.
type plain struct {
	has             string // part of the library's message
	message, remedy string
	fromZero        bool // the library counts the line from 0
	search          bool // its line is where the map or list begins: look for the real one
	bracket         bool // a bracket is likely open
	tag             bool // a tag is to blame
}

const (
	backslashRemedy = "use single quotes, or write \\\\ for a backslash"
	tagMessage      = "a word that begins with ! is a tag to YAML, which is not allowed"
	tagRemedy       = "put the value in quotes"
	quoteOpen       = "a quote that is opened here is never closed"
	quoteClose      = "close the quote"
	noCharacter     = "a Unicode escape that is no character"
	writeItself     = "write the character itself; where a backslash is meant, use single quotes or write \\\\"
	tabMessage      = "a tab stands where YAML wants spaces"
	tabRemedy       = "indent with spaces; leave blank lines empty"
	deepMessage     = "maps and lists are nested too deep"
	directive       = "a line that begins with % is a directive, which is not allowed"
	removeLine      = "remove the line"
)

// plainWords has every message that the library's scanner and parser can give
// for text that inspect lets through, and those of what inspect refuses before.
// The parser's own (not the scanner's) count lines from 0.
var plainWords = []plain{
	{has: "did not find expected key", message: "this line does not fit the indentation of the lines around it", remedy: "align it with the other keys of its map", fromZero: true, search: true},
	{
		has:      "did not find expected '-' indicator",
		message:  "this line does not fit the list it stands in",
		remedy:   "begin it with \"- \" in the column of the other items, or align it with the key it belongs to",
		fromZero: true,
		search:   true,
	},
	{has: "did not find expected ',' or ']'", message: "a list that begins with [ on this line is not closed, or lacks a comma", remedy: "close it with ]", fromZero: true, bracket: true},
	{has: "did not find expected ',' or '}'", message: "a map that begins with { on this line is not closed, or lacks a comma", remedy: "close it with }", fromZero: true, bracket: true},
	{
		has:      "did not find expected node content",
		message:  "a value is missing, or begins with a character that YAML reserves",
		remedy:   "write a value, in quotes if it begins with one of , [ ] { } - ? :",
		fromZero: true,
	},
	{
		has:      "did not find expected <document start>",
		message:  "the text goes on where YAML expects the end of the document",
		remedy:   "check the indentation and the brackets of the lines above",
		fromZero: true,
	},
	{has: "did not find expected <stream-start>", message: "the file could not be read as YAML", remedy: "save it as plain text in UTF-8"},
	{has: "mapping values are not allowed", message: "there is a second \": \" where only a value is expected", remedy: "put the value in quotes if it holds a colon, or check the indentation"},
	{has: "block sequence entries are not allowed", message: "a list item is not allowed here", remedy: "begin the list on its own line below the key"},
	{has: "mapping keys are not allowed", message: "a key is not allowed here", remedy: "check the indentation; put the value in quotes if it begins with ?"},
	{has: "could not find expected ':'", message: "a key without \":\" and a value", remedy: "write \"key: value\""},
	{has: "found character that cannot start any token", message: "a value begins with a character that YAML reserves", remedy: "put the value in quotes"},
	{has: "found unexpected end of stream", message: quoteOpen, remedy: quoteClose},
	{has: "found unexpected document indicator", message: quoteOpen, remedy: quoteClose},
	{has: "found unknown escape character", message: "a backslash sequence in double quotes that YAML does not know", remedy: backslashRemedy},
	{has: "found invalid Unicode character escape", message: noCharacter, remedy: writeItself},
	{has: "did not find expected hexdecimal", message: noCharacter, remedy: writeItself},
	{has: "did not find expected alphabetic or numeric", message: "& and * begin names of anchors and aliases, which are not allowed", remedy: "put the value in quotes"},
	{has: "found a tab character", message: tabMessage, remedy: tabRemedy},
	{has: "found an indentation indicator equal to 0", message: "a text block cannot be indented by 0", remedy: "write | or > alone, and indent the text below it"},
	{has: "did not find expected comment or line break", message: "text stands behind | or >, which begins a text block", remedy: "begin the text on the next line, or put the value in quotes"},
	{has: "exceeded max depth", message: deepMessage, remedy: "flatten this part"},
	{has: "found undefined tag handle", message: tagMessage, remedy: tagRemedy, fromZero: true, tag: true},
	{has: "did not find the expected '>'", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "did not find expected '!'", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "did not find expected tag URI", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "did not find URI escaped octet", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "found an incorrect leading UTF-8 octet", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "found an incorrect trailing UTF-8 octet", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "did not find expected whitespace or line break", message: tagMessage, remedy: tagRemedy, tag: true},
	{has: "found unknown directive name", message: directive, remedy: removeLine},
	{has: "could not find expected directive name", message: directive, remedy: removeLine},
	{has: "found unexpected non-alphabetical character", message: directive, remedy: removeLine},
	{has: "did not find expected digit or '.'", message: directive, remedy: removeLine},
	{has: "found extremely long version number", message: directive, remedy: removeLine},
	{has: "did not find expected version number", message: directive, remedy: removeLine},
	{has: "did not find expected whitespace", message: directive, remedy: removeLine},
	{has: "found duplicate %YAML directive", message: directive, remedy: removeLine},
	{has: "found duplicate %TAG directive", message: directive, remedy: removeLine},
	{has: "found incompatible YAML document", message: directive, remedy: removeLine},
}

// lookUp finds the plain words for a message of the library.
func lookUp(output string) plain {
	for _, w := range plainWords {
		if strings.Contains(output, w.has) {
			return w
		}
	}
	return plain{message: "this is not valid YAML: " + Short(output), remedy: "check the indentation and the quotes"}
}
