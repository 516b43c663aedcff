package pipeline

import "slices"

// People are compared by their ids: a login can be changed by its owner, and given to
// someone else. An account whose id GitHub does not say is no one in particular, and
// can be anybody.

// Requesters are the accounts that caused an attempt of a run: who started it first, and
// who asked for this attempt. They are the same but for a re-run. An unknown one stays
// in the list.
func (r WorkflowRun) Requesters() []Account { return WithAccounts(nil, r.StartedBy, r.TriggeredBy) }

// WithAccounts adds accounts that the list does not hold.
func WithAccounts(list []Account, more ...Account) []Account {
	for _, a := range more {
		if !slices.ContainsFunc(list, func(b Account) bool { return a.ID == b.ID && (a.Known() || a.Login == b.Login) }) {
			list = append(list, a)
		}
	}
	return list
}

// RequesterLogin is the login of who asked for this attempt, for people to read.
func (r WorkflowRun) RequesterLogin() string {
	if r.TriggeredBy.Login != "" {
		return r.TriggeredBy.Login
	}
	return r.Actor
}

// ActorID is the id of the account that asked for the request; 0 when GitHub did not
// say it.
func (r Request) ActorID() int64 {
	for _, account := range r.Requesters {
		if account.Login == r.Actor {
			return account.ID
		}
	}
	return 0
}
