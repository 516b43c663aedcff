package pipeline

import (
	"fmt"
	"strings"
)

// Position is a place in a text file. Line and Column count from 1; Column
// counts characters (runes), 0 means "the whole line".
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing wrong with what someone wrote: where, which rule, and
// what to do about it. Message and Remedy are plain sentences that may quote
// untrusted text; each sink encodes them.
type Problem struct {
	Position
	// Rule is a stable machine-readable name such as "duplicate-key".
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	// Warning marks advice: it does not reject anything.
	Warning bool `json:"warning,omitempty"`
}

// String is the one-line form: file:line:column: rule: message (remedy).
func (p Problem) String() string {
	s := p.Position.String() + ": " + p.Rule + ": " + p.Message
	if p.Remedy != "" {
		s += " → " + p.Remedy
	}
	return s
}

// Problems is a list of problems that is also an error.
type Problems []Problem

// Err returns nil when no problem is an error (warnings do not count).
func (ps Problems) Err() error {
	for _, p := range ps {
		if !p.Warning {
			return ps
		}
	}
	return nil
}

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
