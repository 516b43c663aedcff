package hub

// NewTeam describes a team to add.
type NewTeam struct {
	Name    string
	Secret  bool     // only its members, the owners of the organization and Apps see it
	Members []string // logins
}

// Team is a team of an organization. Its methods are safe for concurrent use.
type Team struct {
	s           *Server
	org         *User
	id          int64
	slug, name  string
	secret      bool
	members     map[string]bool // by lower-case login
	permissions map[int64]Permission
}

// Permission is what a team may do in a repository:
// https://docs.github.com/graphql/reference/enums#repositorypermission
type Permission string

// The permissions, from the lowest to the highest.
const (
	PermissionRead     Permission = "READ"
	PermissionTriage   Permission = "TRIAGE"
	PermissionWrite    Permission = "WRITE"
	PermissionMaintain Permission = "MAINTAIN"
	PermissionAdmin    Permission = "ADMIN"
)

// QueryFault is a part of a repository that queries do not get. Without a message GitHub does
// not say why.
type QueryFault struct {
	Type    string // GitHub's kind, such as FORBIDDEN; empty: none
	Message string
}
