package cli

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// pathFlag is --path, the directory of variables.yml in a customer's repository. It
// keeps a bad spelling for read, so that trigger can answer on the commit first.
type pathFlag struct {
	text  string
	given bool
}

// String, Set and Type make it a flag.
func (p *pathFlag) String() string { return p.text }

// Set takes any text.
func (p *pathFlag) Set(s string) error {
	p.text, p.given = s, true
	return nil
}

// Type is that of plain text in --help.
func (p *pathFlag) Type() string { return "string" }

// read returns the path; empty where the flag has neither a value nor a default.
func (p *pathFlag) read() (string, error) {
	if !p.given && p.text == "" {
		return "", nil
	}
	path, err := pipeline.ParseCustomerPath(p.text)
	if err != nil {
		next := ""
		if bad, ok := err.(*pipeline.PathError); ok { //nolint:errorlint // it returns no other
			next = bad.Remedy()
		}
		return "", pipeline.Usagef("--path %s", err.Error()).Nextf("%s", next)
	}
	return path, nil
}
