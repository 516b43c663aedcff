package pipeline

// Comparison says whether the variables of a plan were compared with those of the last
// apply, and so whether its changes name their causes. The zero Comparison is a plan that was
// not asked for causes, or the record of an earlier version.
type Comparison string

// The comparisons.
const (
	// ComparedApplied: a change without a cause in the variables comes from elsewhere.
	ComparedApplied Comparison = "last-apply"
	// ComparedNothing: no apply came before, so that there are no earlier variables.
	ComparedNothing Comparison = "nothing-applied"
	// ComparedUnknown: there was an apply, or there may have been one, and its
	// variables could not be read.
	ComparedUnknown Comparison = "unknown"
	// ComparedUnreadable: the variables are there and could not be decoded, for example
	// since the rules of today do not accept those of the last apply.
	ComparedUnreadable Comparison = "unreadable"
)

// Known reports whether the variables were compared with those of the last apply.
func (c Comparison) Known() bool { return c == "" || c == ComparedApplied }
