package pipeline

import (
	"context"
	"hash"
	"io"
)

// Sealer encrypts with authentication and makes keyed hashes.
type Sealer interface {
	// Seal returns a writer whose input is encrypted to w; Close completes it.
	Seal(ctx context.Context, w io.Writer, to Binding) (io.WriteCloser, error)
	// Unseal returns the clear text of r. Any change to r or to the binding ends
	// in ErrTampered at the latest at the last byte, and never in a clean EOF. An
	// object under a key that is not at hand is ErrUnknownKey.
	Unseal(ctx context.Context, r io.Reader, to Binding) (io.Reader, error)
	// MAC returns keyed hashes for the fingerprints of one target. The sum holds
	// one tag for each key at hand, as SameFingerprint reads them.
	MAC(ctx context.Context, t Target) (func() hash.Hash, error)
}

// Binding is what a sealed object belongs to: it opens as nothing else.
type Binding struct {
	Target // empty: of no environment
	Kind   SealKind
	Data   []byte // what else it is tied to
}

// SealKind is what a sealed object is, so that a role can be let near one kind alone. Objects
// of most kinds need none.
type SealKind string

// The kinds. The seals of the first two hold nothing themselves: they authenticate a record.
const (
	SealOfRecord  SealKind = "record"
	SealOfEntry   SealKind = "ledger"  // a record that is an entry of a ledger
	SealOfOutputs SealKind = "outputs" // of a stack, which the stacks that need them may open
)

// BindTo ties one sealed object of a plan to the receipt and to its own name.
func BindTo(receipt Receipt, object string) Binding {
	return Binding{Target: receipt.Target(), Data: append([]byte(object+"\x00"), receipt.Bytes()...)}
}
