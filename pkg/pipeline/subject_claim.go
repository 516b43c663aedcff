package pipeline

// SubjectClaim is what GitHub says about the claim sub in the ID tokens of a repository.
type SubjectClaim struct {
	Default   bool     // the form of GitHub; else Keys, joined
	Keys      []string // names of claims, in order; "context" is the environment or the ref
	Immutable *bool    // with the ids of owner and repository; nil: not said
	Prefix    string   // of the default form up to the context; empty: not said
}
