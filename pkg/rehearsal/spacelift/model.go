package spacelift

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Server is the double. Make it with New. Set its exported fields before the first request.
type Server struct {
	// RatePerSecond is how many requests a second are answered, with bursts of as many; the
	// others get HTTP status 429. 0 is no limit.
	RatePerSecond int
	// RefuseConfigOverwrite makes stackConfigAdd refuse an id that the stack has already,
	// instead of overwriting it.
	RefuseConfigOverwrite bool
	// ApproveQueued makes approval policies hold a run in QUEUED, too, until it is approved.
	ApproveQueued bool
	// TokenLife is how long a token is valid; 0 is ten hours.
	TokenLife time.Duration

	now func() time.Time

	lifecycle sync.Mutex
	url       string
	http      *http.Server // nil while it is not started
	served    chan error

	mu           sync.Mutex
	keys         map[string]*apiKey
	tokens       map[string]*token
	spaces       map[string]*space
	policies     map[string]*policy
	contexts     map[string]*sharedContext
	pools        map[string]*entity
	integrations map[string]*entity
	stacks       map[string]*Stack
	heads        map[string]string // "namespace/repository@branch" → commit
	plan         func(Stack, Run) Delta
	faults       []Fault
	requests     []Request
	ids          map[string]int
	bucket       bucket
	signing      []byte
}

// Rights are what an API key may do.
type Rights struct {
	// Spaces are the ids of the spaces that it may read and write, with those below them;
	// nil means all.
	Spaces []string
	// Admin allows spaces to be changed and stacks to be administrative.
	Admin bool
}

type apiKey struct {
	id     string
	secret string
	verify func(token string) error // of an OIDC key, which has no secret
	rights Rights
}

type token struct {
	key   *apiKey
	until time.Time
}

type space struct {
	id, name, description, parent string
	inherit                       bool
	labels                        []string
}

// entity is what has nothing but a name and a place.
type entity struct {
	id, name, space string
	provider        string // of a VCS integration
	standard        bool   // the default of its provider
}

type policy struct {
	entity
	kind, body, description, engine string
	labels                          []string
	created, updated                time.Time
}

type sharedContext struct {
	entity
	description      string
	labels           []string
	config           []ConfigElement
	created, updated time.Time
}

// Stack is the state of one stack.
type Stack struct {
	ID, Name, Space, Description           string
	Provider, Integration                  string // Integration is the id of a VCS integration
	Namespace, Repository, RepositoryURL   string
	Branch, ProjectRoot                    string
	AdditionalProjectGlobs, SparseCheckout []string
	Labels                                 []string
	WorkerPool, RunnerImage                string
	Hooks                                  map[string][]string // commands by name, such as "beforeInit"
	Vendor                                 Vendor
	Administrative, Autodeploy, Autoretry  bool
	GitHubActionDeploy, LocalPreview       bool
	SecretMasking, SensitiveOutputs        bool
	ProtectFromDeletion, ManagesState      bool
	Disabled, Deleting                     bool
	LockedBy, LockNote                     string
	LockedAt, Created                      time.Time
	Commit                                 string // tracked; empty before the first run
	Config                                 []ConfigElement
	Policies, Contexts                     []Attachment
	Dependencies                           []Dependency // on other stacks
	Drift                                  *Drift       // nil without a schedule
	Outputs                                []Output
	Runs                                   []Run // oldest first
	destroy                                bool  // its deletion destroys its resources
	appliedOutputs                         map[string]string
}

// Vendor is the tool of a stack with its settings.
type Vendor struct {
	Kind     string         // member of VendorConfigInput, such as "terraform"
	Settings map[string]any // as sent
}

// ConfigElement is a variable or a mounted file.
type ConfigElement struct {
	ID, Type, Value, Description, FileMode string // Value is also that of a write-only element
	Checksum                               string // SHA-256 of the value as sent, in hex
	WriteOnly                              bool
	Created                                time.Time
}

// Attachment binds a policy or a context to a stack.
type Attachment struct {
	ID       string
	Of       string // id of the policy or context
	Priority int    // of a context
	Auto     bool   // made by a label "autoattach:…"
}

// Dependency is a stack that another one waits for.
type Dependency struct {
	ID, DependsOn string
	References    []Reference
}

// Reference hands an output on as an input.
type Reference struct {
	ID, Output, Input, Type string
	TriggerAlways           bool
}

// Drift is a schedule of drift detection. It runs on private workers only.
type Drift struct {
	Reconcile, IgnoreState bool
	Schedule               []string // cron expressions
	Timezone               string
}

// Output is an output of a stack.
type Output struct {
	ID, Value, Description string
	Sensitive              bool
}

// Run is one run of a stack.
type Run struct {
	ID, Stack, Title, Type, State string
	Commit, Branch, TriggeredBy   string
	Created, Updated              time.Time
	Drift                         bool // started by drift detection
	NeedsApproval                 bool
	Expired                       bool // what it has planned is not kept any more
	Reviews                       []Review
	Config                        []ConfigElement // as it was when the run was created
	Runtime                       map[string]any  // runtimeConfig, as sent
	Delta                         *Delta          // nil until it is planned
	History                       []Transition    // oldest first
}

// Review is what a person says of a run.
type Review struct {
	ID, Author, Decision, Note, State string
	At                                time.Time
}

// Transition is a state that a run has come to.
type Transition struct {
	State, Note, Username string
	At                    time.Time
}

// Delta is what a run found to change.
type Delta struct {
	Add, Change, Delete, Resources int
	// Err makes the run fail where the tool works: a plan in PLANNING, a deletion in
	// DESTROYING.
	Err string
}

func (d Delta) none() bool { return d.Add == 0 && d.Change == 0 && d.Delete == 0 }

// Request is one line of the request log.
type Request struct {
	Operation string          // first field of the query, such as "stackCreate"; empty when it has none
	Kind      string          // "query" or "mutation"
	Variables json.RawMessage // as sent
	Status    int             // HTTP status; 0 when the connection was cut
	Errors    []string        // messages
	At        time.Time
}

// FaultKind is how a request fails.
type FaultKind int

const (
	// BadGateway answers with HTTP status 502 and does nothing.
	BadGateway FaultKind = iota + 1
	// TimeoutAfterWrite does what was asked and cuts the connection without an answer.
	TimeoutAfterWrite
	// Throttle answers with HTTP status 429 and Retry-After and does nothing.
	Throttle
	// GraphQLError answers with HTTP status 200 and an error, and does nothing.
	GraphQLError
	// ExpireToken ends the life of the token that the request has.
	ExpireToken
)

// Fault makes one request fail.
type Fault struct {
	Operation  string // field of the query; empty matches each request
	Skip       int    // matching requests that pass before
	Kind       FaultKind
	Message    string        // of a GraphQLError
	RetryAfter time.Duration // of a Throttle; 0 is a second
}
