package workflow

import (
	"bytes"
	_ "embed"
	"errors"
	"strings"

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

// JobID is the id of the job that works on a target. No name holds an underscore, so no two
// targets have one job.
func JobID(t pipeline.Target) string {
	id := "target-" + string(t.Environment)
	if t.Stack != "" {
		id += "_" + string(t.Stack)
	}
	return id
}

// Write returns the workflow raw with the chain of jobs for these targets (Manager.Chain), in
// this order. What stands outside of the chain's marks stays as it is. The error is
// ErrNoChain where there are no marks.
func Write(raw []byte, chain []pipeline.Target) ([]byte, error) {
	from, to, err := region(raw)
	if err != nil {
		return nil, err
	}
	text := render(chain)
	if bytes.Contains(raw[from:to], []byte("\r\n")) { // a checkout on Windows
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return bytes.Join([][]byte{raw[:from], text, raw[to:]}, nil), nil
}

// render writes the chain with what stands around it in chain.yml.tmpl.
func render(chain []pipeline.Target) []byte {
	head, rest, _ := strings.Cut(chainText, "# JOBS\n")
	job, finish, _ := strings.Cut(rest, "# FINISH\n")
	var out strings.Builder
	out.WriteString(head)
	needs, earlier, closed := "prepare", "", ""
	for _, t := range chain {
		id, stack := JobID(t), ""
		if t.Stack != "" {
			stack = "\n      stack: \"" + string(t.Stack) + "\""
		}
		out.WriteString(strings.NewReplacer("<JOB>", id, "<NAME>", t.Name(), "<NEEDS>", needs, "<EARLIER>", earlier, "<ENVIRONMENT>", string(t.Environment), "<STACK>", stack).Replace(job))
		needs += ", " + id
		earlier += "\n      (needs.prepare.outputs.applies == '[]' || contains(fromJSON('[\"success\", \"skipped\"]'), needs." + id + ".result)) &&"
		closed = " && needs." + id + ".outputs.closed != 'true'"
	}
	out.WriteString(strings.NewReplacer("<NEEDS>", needs, "<CLOSED>", closed).Replace(finish))
	return []byte(out.String())
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
