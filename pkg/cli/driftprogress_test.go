package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

func TestDriftProgress(t *testing.T) {
	t.Parallel()
	clean := drift.Result{Target: pipeline.Target{Customer: "acme", Environment: "staging"}}
	failed := drift.Result{Target: pipeline.Target{Customer: "bee", Environment: "staging"}, Kinds: []pipeline.DriftKind{pipeline.DriftError},
		Failure: &drift.Failure{Cause: "timeout", Message: "it took \x1b[31mlong\nand more"}}
	for name, test := range map[string]struct {
		terminal, inActions bool
		want                string
	}{
		"terminal": {true, false, "\r\033[K1 of 4 targets, 0.1 per second, 30s left" +
			"\r\033[Kmetapipe: bee/staging: error (timeout): it took \\u001b[31mlong\n\r\033[K2 of 4 targets, 0.1 per second, 20s left" +
			"\r\033[K3 of 4 targets, 0.1 per second, 10s left\r\033[K4 of 4 targets, 0.1 per second, 0s left\n"},
		"a file": {false, false, "metapipe: bee/staging: error (timeout): it took \\u001b[31mlong\n" +
			"metapipe: 3 of 4 targets, 0.1 per second, 10s left\nmetapipe: 4 of 4 targets, 0.1 per second, 0s left\n"},
		"a workflow": {true, true, "metapipe: bee/staging: error (timeout): it took \\u001b[31mlong\n" +
			"metapipe: 3 of 4 targets, 0.1 per second, 10s left\nmetapipe: 4 of 4 targets, 0.1 per second, 0s left\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			now := time.Unix(0, 0)
			p := newDriftProgress(&App{Err: &out, Now: func() time.Time { return now }, onTerminal: test.terminal}, test.inActions)
			for i, r := range []drift.Result{clean, failed, clean, clean} {
				now = now.Add(10 * time.Second)
				p.lastLine(i+1, 4, r)
			}
			if err := p.end(); err != nil || out.String() != test.want {
				t.Errorf("%v\ngot  %q\nwant %q", err, out.String(), test.want)
			}
		})
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	terminal := func(string) (string, bool) { return "xterm", true }
	if isTerminal(&strings.Builder{}, terminal) {
		t.Error("a buffer is a terminal")
	}
	null := filepath.Join(t.TempDir(), "stdin") // as the input of a process is called
	if err := os.Symlink(os.DevNull, null); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{filepath.Join(t.TempDir(), "file"): false, os.DevNull: false, null: false, "/dev/ptmx": true} {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			if name == "/dev/ptmx" {
				continue // a system without them
			}
			t.Fatal(err)
		}
		if got := isTerminal(file, terminal); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if isTerminal(file, func(string) (string, bool) { return "dumb", true }) {
			t.Errorf("%s can move its cursor on a dumb terminal", name)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDriftLine(t *testing.T) {
	t.Parallel()
	changes := func(addresses ...string) (list []pipeline.ResourceChange) {
		for _, address := range addresses {
			list = append(list, pipeline.ResourceChange{Address: address})
		}
		return list
	}
	for want, plan := range map[string]pipeline.Plan{
		"acme/staging: manager: a (size, tags.Name), b (delete)": {Drift: []pipeline.ResourceChange{
			{Address: "a", Action: pipeline.ActionUpdate, Attributes: []pipeline.AttributeChange{{Path: "size"}, {Path: "tags.Name"}}}, {Address: "b", Action: pipeline.ActionDelete}}},
		"acme/staging: manager: output.seen":       {Outputs: []pipeline.OutputChange{{Name: "seen"}}},
		"acme/staging: manager: a.a, b.b":          {Drift: changes("a.a", "b.b"), Changes: changes("a.a", "b.b")},
		"acme/staging: manager: a, b, c, 2 more":   {Changes: changes("a", "b", "c", "d"), Outputs: []pipeline.OutputChange{{Name: "seen"}}},
		"acme/staging: manager: a.a, output.a":     {Changes: changes("a.a"), Outputs: []pipeline.OutputChange{{Name: "a"}}},
		"acme/staging: manager: a, b, output.seen": {Changes: changes("a", "b"), Outputs: []pipeline.OutputChange{{Name: "seen"}}},
	} {
		r := drift.Result{Target: pipeline.Target{Customer: "acme", Environment: "staging"}, Kinds: []pipeline.DriftKind{pipeline.DriftManager}, Plan: &plan}
		if got := driftLine(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
