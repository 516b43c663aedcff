package workflow

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

//go:embed chain.yml.tmpl
var chainText string

// The lines between which the chain stands, from the first to the last one.
const (
	opens  = "# <chain>"
	closes = "# </chain>"
)

// ErrNoChain says that a file does not mark where the chain stands.
var ErrNoChain = errors.New("the file does not mark its chain of jobs with the comments " + opens + " and " + closes)

type link struct {
	Name    pipeline.Environment
	Earlier []pipeline.Environment
}

// Write returns the workflow raw with the chain of jobs for these environments, in
// this order. What stands outside of the chain's marks stays as it is. The error is
// ErrNoChain where there are no marks.
func Write(raw []byte, environments []pipeline.Environment) ([]byte, error) {
	from, to, err := region(raw)
	if err != nil {
		return nil, err
	}
	chain, err := render(environments)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(raw[from:to], []byte("\r\n")) { // a checkout on Windows
		chain = bytes.ReplaceAll(chain, []byte("\n"), []byte("\r\n"))
	}
	return bytes.Join([][]byte{raw[:from], chain, raw[to:]}, nil), nil
}

func render(environments []pipeline.Environment) ([]byte, error) {
	t, err := template.New("chain").Delims("<%", "%>").Parse(chainText)
	if err != nil {
		return nil, fmt.Errorf("parse the template of the chain: %w", err)
	}
	links := make([]link, len(environments))
	for i, env := range environments {
		links[i] = link{Name: env, Earlier: environments[:i]}
	}
	var out bytes.Buffer
	if err := t.Execute(&out, links); err != nil {
		return nil, fmt.Errorf("write the chain of jobs: %w", err)
	}
	return out.Bytes(), nil
}

// region finds the chain: whole lines, the marks included.
func region(raw []byte) (from, to int, err error) {
	from, to = -1, -1
	at := 0
	for line := range bytes.Lines(raw) {
		text := strings.TrimSpace(string(line))
		switch {
		case strings.HasPrefix(text, opens) && from < 0:
			from = at
		case text == closes && from >= 0 && to < 0:
			to = at + len(line)
		}
		at += len(line)
	}
	if from < 0 || to < 0 {
		return 0, 0, ErrNoChain
	}
	return from, to, nil
}
