package pipeline

// Redaction says how much of a plan leaves the manager's workflow. Sensitive
// values never do, at no level.
type Redaction string

// The levels, from the loosest to the strictest. The zero value is RedactionValues.
const (
	// RedactionValues shows resources with the values of their attributes.
	RedactionValues Redaction = "values"
	// RedactionSummary shows which resources change and how, and of what the tool
	// said only what belongs to a line of variables.yml.
	RedactionSummary Redaction = "summary"
)
