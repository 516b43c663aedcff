package pipeline

import (
	"encoding/json"
	"fmt"
	"time"
)

// ReceiptVersion is the version of the receipts of this metapipe.
const ReceiptVersion = 2

// Receipt says what a plan was made from. It is stored in the record of the plan
// and is the associated data of its encryption, so that neither can be changed
// or exchanged without the other.
type Receipt struct {
	Version      int          `json:"version"` // ReceiptVersion
	Request      RequestID    `json:"request"`
	Customer     CustomerName `json:"customer"`
	RepositoryID int64        `json:"repository_id"`
	Environment  Environment  `json:"environment"`
	Stack        StackName    `json:"stack,omitempty"`
	// Mode is ModeDestroy for the plan of a destroy, and empty for others.
	Mode          Mode   `json:"mode,omitempty"`
	Commit        SHA    `json:"commit"`
	Blob          SHA    `json:"blob"` // git blob of variables.yml
	ManagerCommit SHA    `json:"manager_commit"`
	Backend       string `json:"backend"` // the state's place
	// Exactness is how much of the truth the plan is.
	Exactness Exactness `json:"exactness"`
	// Artifacts are the sums of the files of the plan under its salt, by name.
	Artifacts map[string]string `json:"artifacts"`
	// Evidence is what else the plan was made from; its engine compares it.
	Evidence    PlanEvidence `json:"evidence"`
	Fingerprint string       `json:"fingerprint"`
	HasChanges  bool         `json:"has_changes"`
	// Policy, Verdict, Findings and Cost are what checks have said about the plan.
	Policy    *PolicyDigest `json:"policy,omitempty"`
	Verdict   Verdict       `json:"verdict,omitempty"`
	Findings  []Finding     `json:"findings,omitempty"`
	Cost      *Cost         `json:"cost,omitempty"`
	PlannedAt time.Time     `json:"planned_at"`
	Expires   time.Time     `json:"expires"`
}

// Target is the one that the plan is for.
func (r Receipt) Target() Target {
	return Target{Customer: r.Customer, Environment: r.Environment, Stack: r.Stack}
}

// ModeOfReceipt is Receipt.Mode of the plans of a request.
func (r Request) ModeOfReceipt() Mode {
	if r.Mode == ModeDestroy {
		return ModeDestroy
	}
	return ""
}

// Bytes is the one encoding of the receipt: it is what the store holds, what the
// code is computed from and what the sealed objects are bound to.
func (r Receipt) Bytes() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic("receipt: " + err.Error()) // plain strings and numbers always encode
	}
	return b
}

// Digest is the SHA-256 of the receipt's bytes: 64 hexadecimal digits. Machines
// compare it.
func (r Receipt) Digest() string { return SHA256Hex(r.Bytes()) }

// Code is the short form of the receipt that people compare: the first 12
// digits of its digest, in groups of four.
func (r Receipt) Code() string { return ReceiptCode(r.Digest()) }

// ReceiptCode is the short form of a receipt's digest; empty for what is none.
func ReceiptCode(digest string) string {
	if len(digest) != 64 {
		return ""
	}
	return digest[:4] + "-" + digest[4:8] + "-" + digest[8:12]
}

// ParseReceipt decodes a stored receipt. What it does not know it refuses: an apply that
// passes over a fact has not compared it.
func ParseReceipt(b []byte) (Receipt, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := DecodeExact(b, &version); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	if version.Version != ReceiptVersion {
		return Receipt{}, fmt.Errorf("receipt: version %d is not known to this metapipe", version.Version)
	}
	type plain Receipt // without UnmarshalJSON
	var r plain
	if err := DecodeKnown(b, &r); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	if err := Receipt(r).check(); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	return Receipt(r), nil
}

// UnmarshalJSON is ParseReceipt for a receipt inside of a record. One that is not known
// is ErrTampered.
func (r *Receipt) UnmarshalJSON(b []byte) error {
	parsed, err := ParseReceipt(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
	*r = parsed
	return nil
}

// check checks what names files, and words that stand for a rule.
func (r Receipt) check() error {
	if !r.Exactness.Known() {
		return fmt.Errorf("the exactness %s is not known", Quote(string(r.Exactness)))
	}
	for name, digest := range r.Artifacts {
		if !IsArtifactName(name) || !isDigest(digest) {
			return fmt.Errorf("the artifact %s is not valid", Quote(name))
		}
	}
	return r.checkJudgment()
}
