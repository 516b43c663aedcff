package pipeline

import (
	"context"
	"strings"
)

// placeOf is where a record lies: its customer, and its environment when the key names
// one.
func placeOf(c CustomerName, key string) planAttempt {
	p := planAttempt{customer: c}
	if parts := strings.Split(key, "/"); len(parts) > 3 && (parts[2] == "plans" || parts[2] == "kept" || parts[2] == "applied" || parts[2] == "queue") {
		p.env = Environment(parts[1])
	}
	return p
}

// CreateRecord writes a record as the commands do, with what vouches for it.
func CreateRecord(ctx context.Context, s Store, sealer Sealer, c CustomerName, key string, value any) error {
	return records{s, sealer}.create(ctx, placeOf(c, key), key, value)
}

// ReadRecord reads a record as the commands do.
func ReadRecord(ctx context.Context, s Store, sealer Sealer, c CustomerName, key string, into any) error {
	return records{s, sealer}.read(ctx, placeOf(c, key), key, into)
}

// LastApply is what a drift scan tells of the last apply.
func LastApply(ctx context.Context, s Store, sealer Sealer, c CustomerName, env Environment) (DriftLastApply, error) {
	last, _, err := loadLastApply(ctx, records{s, sealer}, c, env)
	return *last.forDrift(), err
}

// LockHolders are the steps that may have taken a lock.
func LockHolders(ctx context.Context, s Store, sealer Sealer, c CustomerName, env Environment, lock Lock) (Holders, error) {
	return lockHolders(ctx, records{s, sealer}, c, env, lock)
}

// Register registers a customer as fetch-vars does.
func (f *FetchVars) Register(ctx context.Context, c Customer) error { return f.register(ctx, c) }
