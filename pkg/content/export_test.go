package content

// WithLimit bounds the number of entries.
func WithLimit(c Check, entries int) Check {
	c.entries = entries
	return c
}
