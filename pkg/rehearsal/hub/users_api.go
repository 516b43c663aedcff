package hub

import (
	"strings"
)

// getUser is GET /user.
func getUser(c *call) reply {
	if c.token == nil {
		return problem(401, "Requires authentication")
	}
	if c.token.app() {
		return problem(403, "Resource not accessible by integration")
	}
	u, err := c.s.user(c.token.User)
	if err != nil {
		return problem(401, "Bad credentials")
	}
	v, _ := c.s.viewUser(u).(object)
	owned := 0
	for _, r := range c.s.repos {
		if strings.EqualFold(r.owner, u.Login) {
			owned++
		}
	}
	for k, x := range (object{
		"name": orNull(u.Name), "company": nil, "blog": "", "location": nil, "email": orNull(u.Email), "hireable": nil,
		"bio": nil, "public_repos": owned, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(c.s.clock()), "updated_at": stamp(c.s.clock()),
	}) {
		v[k] = x
	}
	if c.token.hasScope("user") {
		v["user_view_type"] = "private"
		for k, x := range (object{
			"private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0,
			"disk_usage": 0, "collaborators": 0, "two_factor_authentication": true,
		}) {
			v[k] = x
		}
	}
	return ok(v)
}
