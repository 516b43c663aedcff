package pipeline

// Evidence is what the records of a name say about where it deploys from.
type Evidence struct {
	RepositoryID int64
	Path         string // empty: no record says it
}

func (e Evidence) Of(c Customer) bool {
	return e.RepositoryID == c.RepositoryID && (e.Path == c.Path || e.Path == "")
}
