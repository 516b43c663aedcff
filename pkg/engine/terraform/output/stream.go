package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// message is one line of the tool's machine-readable output.
// https://developer.hashicorp.com/terraform/internals/machine-readable-ui
type message struct {
	Message    string                  `json:"@message"`
	Type       string                  `json:"type"`
	Diagnostic *tfjson.Diagnostic      `json:"diagnostic"`
	Hook       *hook                   `json:"hook"`
	Outputs    map[string]streamOutput `json:"outputs"`
	Changes    struct {
		Import    int    `json:"import"`
		Operation string `json:"operation"`
	} `json:"changes"` // of a change_summary
	Terraform string `json:"terraform"` // in the first line
	Tofu      string `json:"tofu"`
}

type hook struct {
	Resource struct {
		Address string `json:"addr"`
	} `json:"resource"`
	Action  string `json:"action"`
	IDKey   string `json:"id_key"`
	IDValue string `json:"id_value"`
}

type streamOutput struct {
	Sensitive bool            `json:"sensitive"`
	Type      json.RawMessage `json:"type"`
	Value     json.RawMessage `json:"value"`
	Action    string          `json:"action"`
}

// printedTypes are the types whose text is printed. Others are left out: among them is
// provision_progress, which is the raw output of a program and may hold secrets.
var printedTypes = map[string]bool{
	"version": true, "init_output": true, "log": true,
	"planned_change": true, "resource_drift": true, "change_summary": true, "outputs": true,
	"refresh_start": true, "refresh_complete": true,
	"apply_start": true, "apply_progress": true, "apply_complete": true, "apply_errored": true,
	"provision_start": true, "provision_complete": true, "provision_errored": true,
	"ephemeral_op_start": true, "ephemeral_op_progress": true, "ephemeral_op_complete": true, "ephemeral_op_errored": true,
}

// Stream collects what one process says.
type Stream struct {
	Log         *redact.Log
	Applying    bool
	Diagnostics []tfjson.Diagnostic
	seen        map[string]bool
	done        []pipeline.AppliedResource
	underWay    []pipeline.AppliedResource // begun and not ended, in that order
	Imported    int                        // by the apply
	outputs     map[string]streamOutput
	Version     string // of the tool that really ran
	Started     bool   // a change has begun
	OutputLost  bool   // not all was heard: a change may have begun
	Changing    bool   // a plan reports a change, drift or an output
	Summed      bool   // the stream holds the end of a plan
	PlainText   []byte // the start of what is not JSON
}

const PlainTextLimit = 64 << 10

// Line takes one line of standard output.
func (s *Stream) Line(line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	var m message
	if line[0] != '{' || json.Unmarshal(line, &m) != nil {
		if room := PlainTextLimit - len(s.PlainText); room > 0 {
			s.PlainText = append(append(s.PlainText, line[:min(len(line), room)]...), '\n')
		}
		return
	}
	switch {
	case m.Type == "version":
		s.Version = m.Terraform + m.Tofu
	case m.Diagnostic != nil:
		if !s.diagnostic(*m.Diagnostic) {
			return // the tool says some twice
		}
	case m.Type == "apply_start":
		s.begun(m)
	case m.Type == "apply_complete", m.Type == "apply_errored":
		s.finished(m)
	case m.Type == "outputs" && s.Applying:
		s.outputs = m.Outputs
	case m.Type == "planned_change", m.Type == "resource_drift":
		s.Changing = true
	case m.Type == "change_summary":
		s.Summed = true
		if m.Changes.Operation == "apply" {
			s.Imported = m.Changes.Import
		}
	case m.Type == "outputs":
		for _, output := range m.Outputs {
			s.Changing = s.Changing || output.Action != "noop"
		}
	}
	s.runJSON(m)
}

func (s *Stream) runJSON(m message) {
	switch {
	case m.Diagnostic != nil: // reported when it is known what to hide: see workspace.diagnose
	case strings.HasPrefix(m.Message, "You may now begin working with"): // advice for people at a prompt
	case m.Type == "" && m.Hook == nil: // OpenTofu's init gives no types
		s.Log.Print(m.Message)
	case m.Type == "planned_change" && s.Applying: // the plan was shown when it was made
	case printedTypes[m.Type]:
		text := m.Message
		if m.Hook != nil && m.Hook.IDValue != "" {
			// What an id holds is up to the provider.
			text = strings.ReplaceAll(text, fmt.Sprintf(" [%s=%s]", m.Hook.IDKey, m.Hook.IDValue), "")
		}
		s.Log.Print(text)
	}
}

// diagnostic keeps a diagnostic and reports whether it is a new one.
func (s *Stream) diagnostic(d tfjson.Diagnostic) bool {
	key, err := json.Marshal(d)
	if err != nil || s.seen[string(key)] {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[string(key)] = true
	s.Diagnostics = append(s.Diagnostics, d)
	return true
}

func (s *Stream) begun(m message) {
	s.Started = true
	if r, ok := changed(m); ok {
		s.underWay = append(s.underWay, r)
	}
}

func (s *Stream) finished(m message) {
	if m.Hook == nil {
		return
	}
	s.Started = true
	r, ok := changed(m)
	if !ok {
		return
	}
	if i := slices.Index(s.underWay, r); i >= 0 {
		s.underWay = slices.Delete(s.underWay, i, i+1)
	}
	r.Failed = m.Type == "apply_errored"
	s.done = append(s.done, r)
}

// changed is the resource that a message is about, and false when nothing of it
// changes.
func changed(m message) (pipeline.AppliedResource, bool) {
	if m.Hook == nil {
		return pipeline.AppliedResource{}, false
	}
	action := pipeline.Action(m.Hook.Action)
	return pipeline.AppliedResource{Address: redact.Clean(m.Hook.Resource.Address), Action: action}, action != pipeline.ActionRead && action != "noop"
}

// Touched is what was done, and what was begun and did not end.
func (s *Stream) Touched() []pipeline.AppliedResource {
	all := slices.Clone(s.done)
	for _, r := range s.underWay {
		r.Unfinished = true
		all = append(all, r)
	}
	return all
}

// Results are the outputs after an apply, ordered by name. Sensitive ones come
// without a value whatever the tool sent.
func (s *Stream) Results() []pipeline.Output {
	var outputs []pipeline.Output
	for name, o := range s.outputs {
		if len(o.Value) == 0 && !o.Sensitive {
			continue
		}
		output := pipeline.Output{Name: name, Sensitive: o.Sensitive}
		if !o.Sensitive {
			output.Value = compactJSON(o.Value)
		}
		outputs = append(outputs, output)
	}
	sort.Slice(outputs, func(i, j int) bool { return outputs[i].Name < outputs[j].Name })
	return outputs
}

func compactJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return ""
	}
	return b.String()
}
