package pipeline

// Afresh says how the one who reads a report gets a fresh plan. A customer pushes; a
// destroy is started by the provider alone, and a push would ask for something else.
func (m Mode) Afresh() string {
	if m == ModeDestroy {
		return "ask your service provider to start the destroy again"
	}
	return "push again, or re-run all jobs of your workflow run, to get a fresh plan"
}

// Restart is Afresh for the operator, who reads the log of the manager; empty where it
// is the same.
func (m Mode) Restart() string {
	if m == ModeDestroy {
		return "start the destroy again"
	}
	return ""
}

// OperatorAfresh is how an operator has a request made anew, after what they did first.
func (m Mode) OperatorAfresh() string {
	if m == ModeDestroy {
		return m.Restart()
	}
	return "have the customer push again, or re-run all jobs of their workflow run, to get a fresh plan"
}

// What a customer does about what only the provider can correct.
const (
	AskProvider    = "ask your service provider"
	KeptNext       = "your service provider brings the state back; push again only after that"
	ProviderNext   = "you have nothing to do: your service provider corrects this, and then starts the request again"
	TamperedNext   = "you have nothing to do: your service provider finds out what happened, and then starts the request again"
	TamperedFinder = "find out who can write to the store; then start the request again, or have the customer push again, to get a fresh plan"
)
