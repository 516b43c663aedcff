package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
)

// LedgerHead names the last entry of a target's ledger. Kept where the writer of
// the store cannot change it, it makes a rewritten ledger visible.
type LedgerHead struct {
	Sequence int    `json:"sequence"`
	SHA256   string `json:"sha256"`
}

// SHA256Hex is the SHA-256 of b in lower-case hexadecimal.
func SHA256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
