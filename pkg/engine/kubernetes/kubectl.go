package kubernetes

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/process"
)

// Bounds of what kubectl prints, in bytes.
const (
	maxAnswer = 64 << 20
	maxStderr = 1 << 20
)

// fieldManager is the name under which fields are set.
const fieldManager = "metapipe"

// call is one run of kubectl.
type call struct {
	stdout string // its file
	stderr string
	err    error
}

// kubectl runs the tool with its output in files, so that it goes on, and what it did is
// known, also when this process is killed. line gets each line of its output at once; it may
// be nil.
func (w *workspace) kubectl(ctx context.Context, line func([]byte), args ...string) call {
	n := w.calls.Add(1)
	c := call{stdout: filepath.Join(w.private, fmt.Sprintf("out-%d", n))}
	var files []*os.File
	defer func() {
		for _, file := range files {
			c.err = errors.Join(c.err, file.Close())
		}
	}()
	for _, name := range []string{c.stdout, filepath.Join(w.private, fmt.Sprintf("err-%d", n))} {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
		if err != nil {
			c.err = w.written("record the output of "+program, err)
			return c
		}
		files = append(files, file)
	}
	ended, followed := make(chan struct{}), make(chan error, 1)
	if line != nil {
		go func() { followed <- process.Follow(c.stdout, ended, line) }()
	} else {
		followed <- nil
	}
	args = append(args, "--kubeconfig="+filepath.Join(w.private, "kubeconfig"), "--cache-dir="+filepath.Join(w.private, "cache"))
	err := process.Process{Path: w.tool.path, Args: args, Dir: w.private, Env: append(w.env, "PWD="+w.private), Stdout: files[0], Stderr: files[1],
		WaitDelay: w.engine.options.WaitDelay}.Run(ctx)
	close(ended)
	if lost := <-followed; lost != nil {
		err = errors.Join(err, w.failed("read the output of "+program, lost))
	}
	c.err = err
	if said, readErr := os.Open(files[1].Name()); readErr == nil {
		// What cannot be read says nothing.
		text, _ := io.ReadAll(io.LimitReader(said, maxStderr))
		_ = said.Close()
		c.stderr = string(text)
	}
	return c
}

// objects decodes what a call has printed as JSON: nothing, an object, or a list.
func (c call) objects() ([]map[string]any, error) {
	info, err := os.Stat(c.stdout)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxAnswer {
		return nil, fmt.Errorf("%s has printed more than %d bytes", program, maxAnswer)
	}
	raw, err := os.ReadFile(c.stdout)
	if err != nil {
		return nil, err
	}
	return parseObjects(raw)
}

func parseObjects(raw []byte) ([]map[string]any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	value, err := jsonvalue.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("what %s has printed is no JSON: %w", program, err)
	}
	one, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s has printed no object", program)
	}
	if textAt(one, "kind") != "List" || textAt(one, "apiVersion") != "v1" {
		if r := refOf(one); r.Kind == "" || r.Name == "" {
			return nil, fmt.Errorf("%s has printed an object without kind and name", program)
		}
		return []map[string]any{one}, nil
	}
	items, _ := one["items"].([]any)
	var all []map[string]any
	for _, item := range items {
		o, ok := item.(map[string]any)
		if r := refOf(o); !ok || r.Kind == "" || r.Name == "" {
			return nil, fmt.Errorf("%s has printed an object without kind and name", program)
		}
		all = append(all, o)
	}
	return all, nil
}

// get reads objects where they are; those that are not there are left out. file holds a list
// of manifests.
func (w *workspace) get(ctx context.Context, file string) ([]map[string]any, call, error) {
	c := w.kubectl(ctx, nil, "get", "-f", file, "--ignore-not-found", "--show-managed-fields", "-o", "json")
	if c.err != nil {
		return nil, c, c.err
	}
	found, err := c.objects()
	return found, c, err
}

// decoded is the text behind a value of Secret.data.
func decoded(value any) (string, bool) {
	s, ok := value.(string)
	if !ok {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(s)
	return string(text), err == nil
}

// said are the errors that kubectl printed, one each.
func said(stderr string) []string {
	var all []string
	advice := false
	for _, line := range strings.Split(stderr, "\n") {
		switch {
		case strings.HasPrefix(line, "Please review the fields above"):
			advice = true
		case advice && !strings.HasPrefix(line, "error: ") && !strings.HasPrefix(line, "Error from server") && !strings.HasPrefix(line, "The "):
		case strings.TrimSpace(line) == "", strings.Contains(line, "memcache.go"), strings.HasPrefix(line, "Warning: "):
		case len(all) > 0 && (strings.HasPrefix(line, "* ") || strings.HasPrefix(line, "  ")):
			all[len(all)-1] += "\n" + line
		default:
			advice = false
			line, _, _ = strings.Cut(line, "; if you choose to ignore these errors")
			all = append(all, line)
		}
	}
	return all
}
