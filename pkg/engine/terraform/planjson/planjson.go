package planjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sort"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ReadOptions says how a plan JSON is read.
type ReadOptions struct {
	// Tool is noted in the plan. An empty Version is read from the document.
	Tool pipeline.ToolVersion
	// Places are paths that no plan may hold, since another run has others.
	Places []string
	// Home is the home directory that the tool has; empty: values are not compared with it.
	Home string
	// MAC returns the keyed hash of the fingerprint; nil leaves it empty.
	MAC func() hash.Hash
	// Secrets are redacted beside those that the document marks.
	Secrets []string
}

// ReadPlan reads the output of `show -json` of a saved plan, format version 1.x.
// An unknown major version is an error. A top-level member that it does not know is
// named in the plan, as is an action. The plan holds no sensitive value: what the document marks at any
// depth becomes a mark, and strings that contain such a value elsewhere get it
// replaced. The document is read once, as a stream; only what differs is kept.
// The second result is the fingerprint in hexadecimal digits.
func ReadPlan(r io.Reader, o ReadOptions) (pipeline.Plan, string, error) {
	reading, err := Parse(r, o)
	if err != nil {
		return pipeline.Plan{}, "", err
	}
	return reading.Plan, reading.Fingerprint, nil
}

// Reading is a plan with what only this package may know of it.
type Reading struct {
	Plan        pipeline.Plan
	Fingerprint string
	Filter      *redact.Filter
	Secrets     redact.Secrets
	Later       map[string]any // marks of what is sensitive and not yet known, by address
	Placed      string         // an attribute that holds a path of this run
	Homed       string         // an attribute that holds a path of the home directory
}

// planReader holds what is gathered while the document streams by.
type planReader struct {
	jsonvalue.Reader
	plan      pipeline.Plan
	version   string
	secrets   redact.Secrets
	later     map[string]any
	print     *fingerprinter // nil without a MAC
	variables map[string]json.RawMessage
	sensitive []string // names of sensitive variables
	drifted   map[string]drifted
	used      map[string][]string // attributes that changes were computed from, by resource
	applyable *bool               // nil: the tool does not say
	places    []string
	placed    string // the first attribute that holds one of the places
	home      string
	homed     string // the first attribute that is a path of it
}

func Parse(r io.Reader, o ReadOptions) (Reading, error) {
	p := &planReader{Reader: jsonvalue.NewReader(r), secrets: redact.Known(o.Secrets), places: o.Places, home: o.Home, later: map[string]any{}, variables: map[string]json.RawMessage{},
		drifted: map[string]drifted{}, used: map[string][]string{}}
	p.plan.Tool, p.plan.Complete = o.Tool, true
	if o.MAC != nil {
		p.print = newFingerprinter(o.MAC())
	}
	if err := p.Object(p.section); err != nil {
		return Reading{}, fmt.Errorf("plan JSON: %w", err)
	}
	if p.version == "" {
		return Reading{}, errors.New("plan JSON: it has no format_version")
	}
	for _, name := range p.sensitive {
		if err := p.secrets.AddRaw(p.variables[name]); err != nil {
			return Reading{}, fmt.Errorf("plan JSON: variable %q: %w", name, err)
		}
	}
	sortChanges(p.plan.Changes)
	sortChanges(p.plan.Drift)
	sortChanges(p.plan.Deferred)
	p.effects()
	p.markRelevant()
	sort.Slice(p.plan.Outputs, func(i, j int) bool { return p.plan.Outputs[i].Name < p.plan.Outputs[j].Name })
	sort.Slice(p.plan.Checks, func(i, j int) bool { return p.plan.Checks[i].Address < p.plan.Checks[j].Address })
	reading := Reading{Plan: p.plan, Filter: redact.NewFilter(p.secrets), Secrets: p.secrets, Later: p.later, Placed: p.placed, Homed: p.homed}
	reading.Filter.Plan(&reading.Plan)
	if p.print != nil {
		reading.Fingerprint = p.print.sum()
	}
	return reading, nil
}

// section reads one top-level member.
func (p *planReader) section(key string) error {
	switch key {
	case "format_version":
		return p.formatVersion()
	case "terraform_version":
		return p.toolVersion()
	case "applyable":
		return p.Decode(&p.applyable)
	case "complete":
		return p.Decode(&p.plan.Complete)
	case "errored":
		return p.Decode(&p.plan.Errored)
	case "resource_changes":
		return p.Array(func() error { return p.change(&p.plan.Changes) })
	case "resource_drift":
		return p.Array(func() error { return p.drift(&p.plan.Drift) })
	case "deferred_changes":
		return p.Array(p.deferredChange)
	case "action_invocations":
		return p.Array(p.invoked)
	case "deferred_action_invocations":
		return p.Array(p.deferredInvocation)
	case "relevant_attributes":
		return p.Array(p.relevant)
	case "output_changes":
		return p.Object(p.output)
	}
	return p.background(key)
}

// background reads the members that describe the plan's surroundings and do
// nothing. Any other one may stand for an effect.
func (p *planReader) background(key string) error {
	switch key {
	case "checks":
		return p.Array(p.check)
	case "variables":
		return p.Object(p.variable)
	case "configuration":
		return p.Object(p.configuration)
	case "prior_state":
		return p.Object(func(key string) error { return p.Only(key, "values", p.stateValues) })
	case "planned_values":
		return p.Object(p.stateMember)
	case "proposed_unknown", "timestamp":
		return p.Skip()
	}
	return p.unknownMember(key)
}

func (p *planReader) formatVersion() error {
	if err := p.Decode(&p.version); err != nil {
		return err
	}
	if !strings.HasPrefix(p.version, "1.") {
		return fmt.Errorf("format_version %q is not known to this metapipe, which reads 1.x", p.version)
	}
	return nil
}

func (p *planReader) toolVersion() error {
	var v string
	if err := p.Decode(&v); err != nil {
		return err
	}
	if p.plan.Tool.Version == "" {
		p.plan.Tool.Version = redact.Clean(v)
	}
	return nil
}

func (p *planReader) variable(name string) error {
	var v struct {
		Value json.RawMessage `json:"value"`
	}
	if err := p.Decode(&v); err != nil {
		return err
	}
	p.variables[name] = v.Value
	return nil
}

// configuration looks for the variables of the root that are marked sensitive.
func (p *planReader) configuration(key string) error {
	return p.Only(key, "root_module", func() error {
		return p.Object(func(key string) error {
			return p.Only(key, "variables", func() error {
				return p.Object(func(name string) error {
					var v struct {
						Sensitive bool            `json:"sensitive"`
						Default   json.RawMessage `json:"default"`
					}
					if err := p.Decode(&v); err != nil || !v.Sensitive {
						return err
					}
					p.sensitive = append(p.sensitive, name)
					return p.secrets.AddRaw(v.Default)
				})
			})
		})
	})
}

func (p *planReader) stateValues() error { return p.Object(p.stateMember) }

// stateMember gathers the secrets of a state: of data sources, and of resources
// that a plan which stopped at an error does not mention.
func (p *planReader) stateMember(key string) error {
	switch key {
	case "outputs":
		return p.Object(func(string) error {
			var o struct {
				Sensitive bool            `json:"sensitive"`
				Value     json.RawMessage `json:"value"`
			}
			if err := p.Decode(&o); err != nil || !o.Sensitive {
				return err
			}
			return p.secrets.AddRaw(o.Value)
		})
	case "root_module":
		return p.Object(p.stateModule)
	}
	return p.Skip()
}

func (p *planReader) stateModule(key string) error {
	switch key {
	case "resources":
		return p.Array(p.stateResource)
	case "child_modules":
		return p.Array(func() error { return p.Object(p.stateModule) })
	}
	return p.Skip()
}

func (p *planReader) stateResource() error {
	var r struct {
		Values    json.RawMessage `json:"values"`
		Sensitive json.RawMessage `json:"sensitive_values"`
	}
	if err := p.Decode(&r); err != nil {
		return err
	}
	if !bytes.Contains(r.Sensitive, []byte("true")) {
		return nil
	}
	marks, err := jsonvalue.Decode(r.Sensitive)
	if err != nil {
		return err
	}
	value, err := jsonvalue.Decode(r.Values)
	if err != nil {
		return err
	}
	p.secrets.AddMarked(value, marks)
	return nil
}

func (p *planReader) check() error {
	var c struct {
		Address struct {
			Display string `json:"to_display"`
		} `json:"address"`
		Status    string `json:"status"`
		Instances []struct {
			Problems []struct {
				Message string `json:"message"`
			} `json:"problems"`
		} `json:"instances"`
	}
	if err := p.Decode(&c); err != nil {
		return err
	}
	check := pipeline.Check{Address: redact.Clean(c.Address.Display), Status: c.Status}
	switch c.Status {
	case "pass", "fail", "error":
	default:
		check.Status = "unknown"
	}
	for _, instance := range c.Instances {
		for _, problem := range instance.Problems {
			check.Messages = append(check.Messages, redact.Clean(problem.Message))
		}
	}
	p.plan.Checks = append(p.plan.Checks, check)
	return nil
}

func sortChanges(changes []pipeline.ResourceChange) {
	sort.SliceStable(changes, func(i, j int) bool {
		if changes[i].Address != changes[j].Address {
			return changes[i].Address < changes[j].Address
		}
		return changes[i].Deposed < changes[j].Deposed
	})
}
