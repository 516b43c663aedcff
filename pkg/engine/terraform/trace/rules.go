package trace

// Conditions are the summaries of rules that the manager's authors wrote: what
// they say about a broken one is the detail.
var Conditions = []string{
	"Resource precondition failed", "Resource postcondition failed", "Module output value precondition failed",
	"Check block assertion failed", "Invalid value for variable",
}
