package store

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Role is a command that works with the state bucket under permissions of its own.
type Role string

// The roles, in the order of a request.
const (
	RoleFetchVars Role = "fetch-vars"
	RolePlan      Role = "plan"
	RoleApply     Role = "apply"
	RoleReport    Role = "report"
	RoleDrift     Role = "drift"
	RoleSweep     Role = "sweep" // and unlock
	RoleSync      Role = "sync"
	// RoleCompliance scans organizations and sets custom properties of their repositories.
	RoleCompliance Role = "compliance"
	RoleRekey      Role = "rekey" // and state reindex
)

// Roles are all of them.
func Roles() []Role {
	return []Role{RoleFetchVars, RolePlan, RoleApply, RoleReport, RoleDrift, RoleSweep, RoleCompliance, RoleSync, RoleRekey}
}

// Scope is what a policy is cut to. Customer and Environment may be "*": then it
// fits a role that a session policy narrows for each job.
type Scope struct {
	Bucket      pipeline.Bucket
	Customer    string
	Environment string
	Stack       string // empty: the unnamed one
	// Needs are the stacks whose outputs the stack reads; Passes says that others read its own.
	Needs  []string
	Passes bool
	// Home is the folder of the target where the tool of the stack keeps its state and what
	// belongs to it; empty: the state is one object.
	Home string
	// SealingKeys are the KMS keys under which objects are sealed; none where a
	// secret of the workflows does that.
	SealingKeys []string
}

// target is the one that the scope is for. Each part of it may be a pattern.
func (s Scope) target() pipeline.Target {
	return pipeline.Target{Customer: pipeline.CustomerName(s.Customer), Environment: pipeline.Environment(s.Environment), Stack: pipeline.StackName(s.Stack)}
}

// needed are the folders of the targets whose outputs the scope may read.
func (s Scope) needed() []pipeline.Target {
	var all []pipeline.Target
	for _, stack := range s.Needs {
		t := s.target()
		t.Stack = pipeline.StackName(stack)
		all = append(all, t)
	}
	return all
}

// Policy is an IAM policy document.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one permission, or one refusal.
type Statement struct {
	Sid         string `json:",omitempty"`
	Effect      string
	Principal   string                         `json:",omitempty"`
	Action      []string                       `json:",omitempty"`
	NotAction   []string                       `json:",omitempty"`
	Resource    []string                       `json:",omitempty"`
	NotResource []string                       `json:",omitempty"`
	Condition   map[string]map[string][]string `json:",omitempty"`
}

// JSON is the document as people read it, with a newline at its end.
func (p Policy) JSON() []byte {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic("policy: " + err.Error()) // plain strings always encode
	}
	return append(b, '\n')
}

// grant is what a role may do, as patterns of keys of the layout.
type grant struct {
	list, read, write, remove []string
	lock                      bool // takes locks in the table
	seal, open                bool // asks KMS for data keys
	sealRequests              bool // seals also what belongs to no environment
	sealLedgers               bool // seals entries of ledgers, also those of no environment
	sealFleet, openFleet      bool // the same for what belongs to no customer
	openRecords               bool // opens the records of any environment of the customer
	names                     bool // lists the names of customers and environments
	openLastApplies           bool // opens records of all customers
	allEnvironments           bool // opens what belongs to any environment of the customer
	openNeeded                bool // opens the outputs of the stacks that the scope needs
}

// RolePolicy returns the least that a role needs to do its work in the bucket.
func RolePolicy(role Role, s Scope) (Policy, error) {
	g, ok := s.grants()[role]
	if !ok {
		return Policy{}, pipeline.Usagef("there is no role %q", role).Nextf("use one of %v", Roles())
	}
	g = s.withHome(role, s.withOutputs(role, g))
	p := Policy{Version: "2012-10-17"}
	p.Statement = append(p.Statement, Statement{Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{s.bucketARN()},
		Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": s.keys(g.list)}}})
	if g.names {
		p.Statement = append(p.Statement, Statement{Sid: "Names", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{s.bucketARN()},
			Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": s.keys([]string{"", "*/"})}, "StringEquals": {"s3:delimiter": {"/"}}}})
	}
	for _, part := range []struct {
		sid     string
		actions []string
		keys    []string
	}{
		{"Read", []string{"s3:GetObject"}, g.read},
		{"Write", []string{"s3:PutObject", "s3:AbortMultipartUpload"}, g.write},
		{"Remove", []string{"s3:DeleteObject"}, g.remove},
	} {
		if len(part.keys) > 0 {
			p.Statement = append(p.Statement, Statement{Sid: part.sid, Effect: "Allow", Action: part.actions, Resource: s.objects(part.keys)})
		}
	}
	if s.Bucket.KMSKey != "" {
		p.Statement = append(p.Statement, s.kms(len(g.write) > 0))
	}
	p.Statement = append(p.Statement, s.sealing(g)...)
	if s.Bucket.LockTable != "" && g.lock {
		p.Statement = append(p.Statement, s.table())
	}
	return p, nil
}

func (s Scope) grants() map[Role]grant {
	c, target := s.Customer, s.target().Folder()
	state := target + "/terraform.tfstate"
	lock := state + ".tflock"
	plans := target + "/plans/*"
	applied := target + "/applied/*" // the newest apply, which outlasts its plan
	kept := target + "/kept/*"
	keys := target + "/keys/*"                 // of fingerprints, where KMS seals
	records := []string{c + "/*/plans/*.json"} // of all environments: promotion order is checked
	chain := target + "/ledger/*"              // no one may remove from one
	queue := target + "/queue/*"
	requests, pulls := c+"/requests/*", c+"/pulls/*"
	entries := []string{queue, pulls, c + "/requests/by-commit/*"} // of indexes
	const registered = "_metapipe/customers/*"                     // which customer a path of a repository is
	const lastApplies = "*/applied/*.json"                         // of all customers, since a renamed one has another name
	fetched := []string{requests, pulls, queue, chain, c + "/ledger/*", "_metapipe/tokens/*", "_metapipe/rejected/*", "_metapipe/ledger/*", registered}
	open := "_metapipe/open/" + c + "/*"
	scanned := []string{"_metapipe/compliance/*", "_metapipe/ledger/*", c + "/ledger/*"}
	changed := []string{c + "/ledger/*", "_metapipe/ledger/*", "_metapipe/sync/*"}
	superseded := []string{open, target + "/plans/*.json"} // older requests that wait in vain
	spent := func(of string) string { return of + "/plans/*/artifacts.sealed" }
	return map[Role]grant{
		// The names in the store, and what was applied last, distinguish a renamed customer
		// from a new one; a destroy uses the variables that were applied last.
		RoleFetchVars: {
			list: slices.Concat(fetched, []string{open, target + "/plans/*", "*/applied/*"}), read: slices.Concat(fetched, superseded, []string{lastApplies, applied}), names: true, openLastApplies: true,
			write:  slices.Concat(fetched, []string{open, target + "/plans/*/apply-??????????.json"}),
			remove: []string{open}, seal: true, open: true, sealRequests: true, sealFleet: true},
		RolePlan: {
			list:  []string{target + "/*", requests, pulls, registered},
			read:  []string{state, lock, plans, keys, applied, chain, queue, requests, pulls, registered},
			write: []string{lock, plans, kept, keys, chain}, remove: []string{lock}, lock: true, seal: true, open: true,
		},
		RoleApply: {
			list:  []string{target + "/*", c + "/*/plans/*", requests, registered},
			read:  slices.Concat([]string{state, lock, plans, applied, kept, chain, queue, requests, registered}, records),
			write: []string{state, lock, plans, applied, kept, chain, open}, remove: []string{spent(target), lock, applied}, lock: true, seal: true, open: true, openRecords: true,
		},
		RoleReport: {
			list:  []string{c + "/*", "_metapipe/rejected/*", "_metapipe/ledger/*"},
			read:  slices.Concat(records, []string{requests, pulls, c + "/*/queue/*", c + "/*/ledger/*", c + "/ledger/*", "_metapipe/rejected/*", "_metapipe/ledger/*"}),
			write: []string{c + "/*/ledger/*", c + "/ledger/*"}, remove: []string{spent(c + "/*"), open}, sealLedgers: true, open: true, openFleet: true, allEnvironments: true,
		},
		RoleSweep: {
			list: []string{c + "/*", "_metapipe/open/*"},
			read: []string{state, lock, requests, pulls, queue, target + "/plans/*.json", chain, c + "/ledger/*"},
			// Of a plan it may write nothing but that it is out of use.
			write: []string{target + "/plans/*/apply-??????????.json", chain, c + "/ledger/*"}, remove: []string{spent(target), lock, open}, lock: true, seal: true, sealLedgers: true, open: true,
		},
		RoleDrift: { // reads what was applied last, keeps what a scan found, and looks for open requests before it asks for another
			list: []string{target + "/*", c + "/", "_metapipe/scans/*", open, registered},
			read: []string{registered, state, lock, applied, chain, keys, requests, queue, target + "/plans/*.json", "_metapipe/scans/*"},
			// A target that was never planned has no key for its fingerprints yet.
			write: []string{keys, "_metapipe/scans/*"}, seal: true, open: true, sealFleet: true, openFleet: true,
		},
		// Keeps what scans have found, and records each value that it writes.
		RoleCompliance: {
			list: scanned, read: scanned, write: scanned, sealLedgers: true, open: true, sealFleet: true, openFleet: true,
		},
		RoleSync: { // notes what it writes to repositories, and remembers what it has left there
			list: changed, read: changed, write: changed, sealLedgers: true, open: true, sealFleet: true, openFleet: true,
		},
		// Finds what lasts by one list of the store, and writes it beside the old one. Writes the entries of indexes
		// anew, and removes those of no request: no record, and none of an open request.
		RoleRekey: {
			list:  []string{"*"},
			read:  []string{applied, kept, requests, registered, queue, pulls, chain, c + "/ledger/*", "_metapipe/ledger/*", target + "/plans/*.json"},
			write: slices.Concat([]string{applied, registered, chain, c + "/ledger/*", "_metapipe/ledger/*", open}, entries), remove: entries, seal: true, sealLedgers: true,
			open: true, sealFleet: true, openFleet: true,
		},
	}
}

func (s Scope) arn() string { return "arn:" + Partition(s.Bucket.Region) + ":" }

func (s Scope) bucketARN() string { return s.arn() + "s3:::" + s.Bucket.Name }

func (s Scope) keys(patterns []string) []string {
	keys := make([]string, len(patterns))
	for i, p := range patterns {
		keys[i] = strings.TrimPrefix(s.Bucket.Prefix+"/"+p, "/")
	}
	return keys
}

func (s Scope) objects(patterns []string) []string {
	arns := s.keys(patterns)
	for i := range arns {
		arns[i] = s.bucketARN() + "/" + arns[i]
	}
	return arns
}

// table lets the tool lock in DynamoDB, cut to the states of the scope.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (s Scope) table() Statement {
	state := s.Bucket.Name + "/" + s.keys([]string{pipeline.StateKey(s.target())})[0]
	return Statement{Sid: "Lock", Effect: "Allow", Action: []string{"dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"},
		Resource:  []string{s.arn() + "dynamodb:*:*:table/" + s.Bucket.LockTable},
		Condition: map[string]map[string][]string{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": {state, state + "-md5"}}}}
}
