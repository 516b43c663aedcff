package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sort"
	"strings"

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
	reading, err := readPlan(r, o)
	if err != nil {
		return pipeline.Plan{}, "", err
	}
	return reading.plan, reading.fingerprint, nil
}

// planReading is a plan with what only this package may know of it.
type planReading struct {
	plan        pipeline.Plan
	fingerprint string
	redactor    *redactor
	secrets     secretSet
	later       map[string]any // marks of what is sensitive and not yet known, by address
	placed      string         // an attribute that holds a path of this run
	homed       string         // an attribute that holds a path of the home directory
}

// planReader holds what is gathered while the document streams by.
type planReader struct {
	jsonReader
	plan      pipeline.Plan
	version   string
	secrets   secretSet
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

func readPlan(r io.Reader, o ReadOptions) (planReading, error) {
	p := &planReader{jsonReader: newJSONReader(r), secrets: environSecrets(o.Secrets), places: o.Places, home: o.Home, later: map[string]any{}, variables: map[string]json.RawMessage{},
		drifted: map[string]drifted{}, used: map[string][]string{}}
	p.plan.Tool, p.plan.Complete = o.Tool, true
	if o.MAC != nil {
		p.print = newFingerprinter(o.MAC())
	}
	if err := p.object(p.section); err != nil {
		return planReading{}, fmt.Errorf("plan JSON: %w", err)
	}
	if p.version == "" {
		return planReading{}, errors.New("plan JSON: it has no format_version")
	}
	for _, name := range p.sensitive {
		if err := p.secrets.addRaw(p.variables[name]); err != nil {
			return planReading{}, fmt.Errorf("plan JSON: variable %q: %w", name, err)
		}
	}
	sortChanges(p.plan.Changes)
	sortChanges(p.plan.Drift)
	sortChanges(p.plan.Deferred)
	p.effects()
	p.markRelevant()
	sort.Slice(p.plan.Outputs, func(i, j int) bool { return p.plan.Outputs[i].Name < p.plan.Outputs[j].Name })
	sort.Slice(p.plan.Checks, func(i, j int) bool { return p.plan.Checks[i].Address < p.plan.Checks[j].Address })
	reading := planReading{plan: p.plan, redactor: newRedactor(p.secrets), secrets: p.secrets, later: p.later, placed: p.placed, homed: p.homed}
	reading.redactor.plan(&reading.plan)
	if p.print != nil {
		reading.fingerprint = p.print.sum()
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
		return p.decode(&p.applyable)
	case "complete":
		return p.decode(&p.plan.Complete)
	case "errored":
		return p.decode(&p.plan.Errored)
	case "resource_changes":
		return p.array(func() error { return p.change(&p.plan.Changes) })
	case "resource_drift":
		return p.array(func() error { return p.drift(&p.plan.Drift) })
	case "deferred_changes":
		return p.array(p.deferredChange)
	case "action_invocations":
		return p.array(p.invoked)
	case "deferred_action_invocations":
		return p.array(p.deferredInvocation)
	case "relevant_attributes":
		return p.array(p.relevant)
	case "output_changes":
		return p.object(p.output)
	}
	return p.background(key)
}

// background reads the members that tell of the plan's surroundings and do
// nothing. Any other one may stand for an effect.
func (p *planReader) background(key string) error {
	switch key {
	case "checks":
		return p.array(p.check)
	case "variables":
		return p.object(p.variable)
	case "configuration":
		return p.object(p.configuration)
	case "prior_state":
		return p.object(func(key string) error { return p.only(key, "values", p.stateValues) })
	case "planned_values":
		return p.object(p.stateMember)
	case "proposed_unknown", "timestamp":
		return p.skip()
	}
	return p.unknownMember(key)
}

func (p *planReader) formatVersion() error {
	if err := p.decode(&p.version); err != nil {
		return err
	}
	if !strings.HasPrefix(p.version, "1.") {
		return fmt.Errorf("format_version %q is not known to this metapipe, which reads 1.x", p.version)
	}
	return nil
}

func (p *planReader) toolVersion() error {
	var v string
	if err := p.decode(&v); err != nil {
		return err
	}
	if p.plan.Tool.Version == "" {
		p.plan.Tool.Version = cleanText(v)
	}
	return nil
}

func (p *planReader) variable(name string) error {
	var v struct {
		Value json.RawMessage `json:"value"`
	}
	if err := p.decode(&v); err != nil {
		return err
	}
	p.variables[name] = v.Value
	return nil
}

// configuration looks for the variables of the root that are marked sensitive.
func (p *planReader) configuration(key string) error {
	return p.only(key, "root_module", func() error {
		return p.object(func(key string) error {
			return p.only(key, "variables", func() error {
				return p.object(func(name string) error {
					var v struct {
						Sensitive bool            `json:"sensitive"`
						Default   json.RawMessage `json:"default"`
					}
					if err := p.decode(&v); err != nil || !v.Sensitive {
						return err
					}
					p.sensitive = append(p.sensitive, name)
					return p.secrets.addRaw(v.Default)
				})
			})
		})
	})
}

func (p *planReader) stateValues() error { return p.object(p.stateMember) }

// stateMember gathers the secrets of a state: of data sources, and of resources
// that a plan which stopped at an error does not mention.
func (p *planReader) stateMember(key string) error {
	switch key {
	case "outputs":
		return p.object(func(string) error {
			var o struct {
				Sensitive bool            `json:"sensitive"`
				Value     json.RawMessage `json:"value"`
			}
			if err := p.decode(&o); err != nil || !o.Sensitive {
				return err
			}
			return p.secrets.addRaw(o.Value)
		})
	case "root_module":
		return p.object(p.stateModule)
	}
	return p.skip()
}

func (p *planReader) stateModule(key string) error {
	switch key {
	case "resources":
		return p.array(p.stateResource)
	case "child_modules":
		return p.array(func() error { return p.object(p.stateModule) })
	}
	return p.skip()
}

func (p *planReader) stateResource() error {
	var r struct {
		Values    json.RawMessage `json:"values"`
		Sensitive json.RawMessage `json:"sensitive_values"`
	}
	if err := p.decode(&r); err != nil {
		return err
	}
	if !bytes.Contains(r.Sensitive, []byte("true")) {
		return nil
	}
	marks, err := decodeAny(r.Sensitive)
	if err != nil {
		return err
	}
	value, err := decodeAny(r.Values)
	if err != nil {
		return err
	}
	p.secrets.addMarked(value, marks)
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
	if err := p.decode(&c); err != nil {
		return err
	}
	check := pipeline.Check{Address: cleanText(c.Address.Display), Status: c.Status}
	switch c.Status {
	case "pass", "fail", "error":
	default:
		check.Status = "unknown"
	}
	for _, instance := range c.Instances {
		for _, problem := range instance.Problems {
			check.Messages = append(check.Messages, cleanText(problem.Message))
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
