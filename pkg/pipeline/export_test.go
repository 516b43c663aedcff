package pipeline

import "context"

// CreateRecord writes a record as the verbs do, with what vouches for it.
func CreateRecord(ctx context.Context, s Store, sealer Sealer, c CustomerName, key string, value any) error {
	return records{s, sealer}.create(ctx, planning{customer: c}, key, value)
}

// ReadRecord reads a record as the verbs do.
func ReadRecord(ctx context.Context, s Store, sealer Sealer, c CustomerName, key string, into any) error {
	return records{s, sealer}.read(ctx, planning{customer: c}, key, into)
}

// LastApply is what a drift scan tells of the last apply.
func LastApply(ctx context.Context, s Store, sealer Sealer, c CustomerName, env Environment) (DriftLastApply, error) {
	last, _, err := loadLastApply(ctx, records{s, sealer}, c, env)
	return *last.told(), err
}
