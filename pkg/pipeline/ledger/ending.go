package ledger

// Destroyed reports whether the target was ended and no apply has changed anything since,
// not even one that failed.
func (r Remembered) Destroyed() bool {
	return r.Record != nil && r.Record.Destroyed() && (r.entry == nil || r.entry.IsDestroyed())
}

// IsDestroyed reports whether the entry is that of a destroy that left nothing.
func (e LedgerEntry) IsDestroyed() bool { return e.Event == LedgerDestroyed && e.State.LeftNothing() }

// carriedOut reports whether the entry is that of an apply that went well, also of a
// destroy.
func (e LedgerEntry) carriedOut() bool { return e.Event == LedgerApplied || e.Event == LedgerDestroyed }
