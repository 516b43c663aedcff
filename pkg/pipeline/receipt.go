package pipeline

import (
	"encoding/json"
	"fmt"
	"time"
)

// ReceiptVersion is the version of the receipts of this metapipe.
const ReceiptVersion = 1

// Receipt says what a plan was made from. It is stored in the record of the plan
// and is the associated data of its encryption, so that neither can be changed
// or exchanged without the other.
type Receipt struct {
	Version      int          `json:"version"` // 1
	Request      RequestID    `json:"request"`
	Customer     CustomerName `json:"customer"`
	RepositoryID int64        `json:"repository_id"`
	Environment  Environment  `json:"environment"`
	// Mode is ModeDestroy for the plan of a destroy, and empty for others.
	Mode          Mode `json:"mode,omitempty"`
	Commit        SHA  `json:"commit"`
	Blob          SHA  `json:"blob"` // git blob of variables.yml
	ManagerCommit SHA  `json:"manager_commit"`
	// ManagerTree is a digest of the manager tree as it was copied, so that
	// uncommitted edits and generated files count as well.
	ManagerTree string `json:"manager_tree"`
	// ManagerCode is a digest of the part of it that plans of the customer are made
	// from, so not of other customers' files; empty in receipts of earlier versions.
	// Nothing is refused by it: drift scans ask what has changed since.
	ManagerCode string       `json:"manager_code,omitempty"`
	Tool        ToolVersion  `json:"tool"`
	LockFile    string       `json:"lock_file"`         // SHA-256 of the dependency lock file, also a generated one
	Modules     string       `json:"modules,omitempty"` // digest of the modules that init fetched; empty: none
	Backend     string       `json:"backend"`           // the state's place
	State       StateVersion `json:"state"`
	PlanSHA256  string       `json:"plan_sha256"`
	Fingerprint string       `json:"fingerprint"`
	HasChanges  bool         `json:"has_changes"`
	PlannedAt   time.Time    `json:"planned_at"`
	Expires     time.Time    `json:"expires"`
}

// Target is the one that the plan is for.
func (r Receipt) Target() Target { return r.Customer.In(r.Environment) }

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

// ParseReceipt decodes a stored receipt.
func ParseReceipt(b []byte) (Receipt, error) {
	var r Receipt
	if err := DecodeExact(b, &r); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	if r.Version != ReceiptVersion {
		return Receipt{}, fmt.Errorf("receipt: version %d is not known to this metapipe", r.Version)
	}
	return r, nil
}
