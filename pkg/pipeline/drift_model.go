package pipeline

// DriftKind says in which way a target is not as it should be.
type DriftKind string

// The kinds, in the order in which they are told.
const (
	DriftError   DriftKind = "error"   // the check failed: nothing is known about the target
	DriftLost    DriftKind = "lost"    // the state is not the one that the last apply left: it is gone, older or another one
	DriftReal    DriftKind = "drift"   // somebody changed the infrastructure outside of the tool
	DriftPending DriftKind = "pending" // the customer's configuration is merged and was never applied
	DriftManager DriftKind = "manager" // the manager's code changed since the last apply
)

// DriftAction is what is done about a kind.
type DriftAction string

// The actions: report tells the manager, issue also the customer.
const (
	DriftReport DriftAction = "report"
	DriftIssue  DriftAction = "issue"
	DriftIgnore DriftAction = "ignore"
)
