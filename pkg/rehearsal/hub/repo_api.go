package hub

// getRepo is GET /repos/{owner}/{repo}.
func getRepo(c *call) reply {
	v := c.repo.view()
	role := NoRole
	if c.token != nil {
		role = c.repo.role(c.token.User)
	}
	v["permissions"] = object{"admin": role >= Admin, "maintain": role >= Admin, "push": role >= Write, "triage": role >= Write, "pull": role >= Read || !c.repo.private}
	if p := c.repo.parent; p != nil {
		v["parent"], v["source"] = p.view(), p.view()
	}
	return ok(v)
}
