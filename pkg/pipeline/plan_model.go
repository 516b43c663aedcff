package pipeline

// Plan is the change of one target, read from the tool's plan JSON and from
// nothing else. It is safe to show to the customer: sensitive values are
// already replaced by marks (Value.Sensitive), at any depth and inside other
// strings.
type Plan struct {
	Tool ToolVersion `json:"tool"`
	// Exactness is how much of the truth the plan is; empty where the plan failed.
	Exactness Exactness `json:"exactness,omitempty"`
	Counts    Counts    `json:"counts"`
	Complete  bool      `json:"complete"` // false: the tool deferred some changes
	Errored   bool      `json:"errored"`  // the plan stopped at an error
	// Changes are ordered by address and leave out resources without any change.
	Changes []ResourceChange `json:"changes,omitempty"`
	Drift   []ResourceChange `json:"drift,omitempty"` // changed outside of the tool
	// Deferred are changes that the tool put off: they are no part of this apply.
	Deferred []ResourceChange `json:"deferred,omitempty"`
	// Invocations are actions that the apply invokes, in the order of their addresses.
	Invocations []Invocation   `json:"invocations,omitempty"`
	Outputs     []OutputChange `json:"outputs,omitempty"`
	Checks      []Check        `json:"checks,omitempty"`
	Diagnostics []Diagnostic   `json:"diagnostics,omitempty"`
	// Composed is what controllers of the cluster are predicted to make of the objects of the plan. It is no part of
	// the fingerprint, and nothing of it is applied.
	Composed Composition `json:"composed,omitzero"`
	// Unknown are top-level members of the tool's plan that this version cannot
	// read. They are part of the fingerprint.
	Unknown []string `json:"unknown,omitempty"`
	// Compared says whether the causes of changes are known.
	Compared Comparison `json:"compared,omitempty"`
	// Unexplained: the tool may do something that no list above holds.
	Unexplained bool `json:"unexplained,omitempty"`
}

// HasChanges reports whether applying the plan would do anything: an output
// change, an invoked action and what this version cannot explain included.
// Changes that were put off count too, since the infrastructure is not as asked.
func (p Plan) HasChanges() bool {
	for _, c := range p.Changes {
		if c.Action != ActionRead {
			return true
		}
	}
	return p.Unexplained || len(p.Outputs)+len(p.Invocations)+len(p.Deferred) > 0
}

// ToolVersion is the binary that made a plan.
type ToolVersion struct {
	Name    string `json:"name"` // "terraform" or "tofu"
	Version string `json:"version"`
}

func (t ToolVersion) String() string { return t.Name + " " + t.Version }

// ResourceChange is one resource instance that changes.
type ResourceChange struct {
	Address         string `json:"address"`
	PreviousAddress string `json:"previous_address,omitempty"` // moved from
	Module          string `json:"module,omitempty"`           // module address, empty at the root
	Type            string `json:"type"`
	Deposed         string `json:"deposed,omitempty"`
	Data            bool   `json:"data,omitempty"` // a data source
	Action          Action `json:"action"`
	// CreateFirst: a replacement that creates before it destroys.
	CreateFirst bool `json:"create_first,omitempty"`
	// KeepsOld: a replacement that leaves the old object as it is, no longer managed.
	KeepsOld bool   `json:"keeps_old,omitempty"`
	Reason   string `json:"reason,omitempty"`   // action_reason, as the tool names it
	Deferred string `json:"deferred,omitempty"` // why the tool put the change off, as it names it
	// Imports: the change imports an object by its id or its identity. Both are empty
	// where they are known only during the apply.
	Imports        bool   `json:"imports,omitempty"`
	ImportID       string `json:"import_id,omitempty"`
	ImportIdentity string `json:"import_identity,omitempty"` // JSON text
	// Relevant marks an entry of Plan.Drift that the plan has changes because of.
	Relevant bool `json:"relevant,omitempty"`
	// Reverts marks an entry of Plan.Changes that does nothing but put back what
	// Plan.Drift says of the same resource.
	Reverts bool `json:"reverts,omitempty"`
	// Causes are what of the configuration the change comes from, as far as the code
	// could be followed.
	Causes []Cause `json:"causes,omitempty"`
	// Attributes that differ, ordered by path. Paths that force a replacement
	// are marked.
	Attributes []AttributeChange `json:"attributes,omitempty"`
}

// IsImport reports whether the change imports an object that exists. Records of
// earlier versions have its id only.
func (c ResourceChange) IsImport() bool {
	return c.Imports || c.ImportID != "" || c.ImportIdentity != ""
}

// Cause is a key of variables.yml that differs from the one applied last, and
// that a change was computed from. Where none was found it is the nearest name in
// the manager's code. A map or a list has no values where its members explain the change
// only together, or where they changed places.
type Cause struct {
	Path   string   `json:"path,omitempty"`  // for example environments.production.region
	Where  Position `json:"where"`           // of the key; of the local in the manager's code
	Before Value    `json:"before"`          // absent: the key is new
	After  Value    `json:"after"`           // absent: the key is gone
	Local  string   `json:"local,omitempty"` // for example local.subnets; then Path is empty
}

// AttributeChange is one attribute path whose value differs.
type AttributeChange struct {
	// Path is for example `ingress[0].cidr` or `tags["a b"]`. `cidrs[]` is an element
	// that is in one of two lists only.
	Path   string `json:"path"`
	Before Value  `json:"before"`
	After  Value  `json:"after"`
	// ForcesReplacement marks a path named in replace_paths.
	ForcesReplacement bool `json:"forces_replacement,omitempty"`
}

// Value is one side of a difference. The zero Value means "absent".
type Value struct {
	// Text is the value as JSON text ("3", "true", `"eu-west-1"`, `{…}`), already
	// redacted. Empty when absent, sensitive or unknown.
	Text      string `json:"text,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Unknown   bool   `json:"unknown,omitempty"` // known after apply
}

// Absent reports whether there is no value on this side.
func (v Value) Absent() bool { return v == Value{} }

// OutputChange is one root output that changes.
type OutputChange struct {
	Name   string `json:"name"`
	Action Action `json:"action"`
	Before Value  `json:"before"`
	After  Value  `json:"after"`
}

// Check is the result of a check block, precondition or postcondition.
type Check struct {
	Address string `json:"address"`
	// Status is "pass", "fail", "error" or "unknown".
	Status   string   `json:"status"`
	Messages []string `json:"messages,omitempty"`
}

// Diagnostic is a warning or an error of the tool.
type Diagnostic struct {
	Warning bool   `json:"warning,omitempty"`
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"`
	Address string `json:"address,omitempty"` // resource it belongs to
	// Where is the place in the manager's code, relative to the manager
	// directory; zero when the tool named none.
	Where Position `json:"where"`
	Code  string   `json:"code,omitempty"` // the line of code it points at
	// Source is the line of variables.yml that decides the failing value; zero
	// when none could be found. Exact is false when Source is where a missing
	// key belongs.
	Source Position `json:"source"`
	Exact  bool     `json:"exact,omitempty"`
	// Remedy says what the customer can do, in terms of variables.yml.
	Remedy string `json:"remedy,omitempty"`
	// Operator is what only the provider can do: no customer reads it.
	Operator string `json:"operator,omitempty"`
}

// Output is a root output after an apply. Sensitive outputs have no Value.
type Output struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"` // JSON text
	Sensitive bool   `json:"sensitive,omitempty"`
}
