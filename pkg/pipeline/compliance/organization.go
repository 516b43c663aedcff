package compliance

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Repository is one repository of an organization, as GitHub shows it.
type Repository struct {
	pipeline.Repository // with its present name; DefaultBranch is empty where there is no commit
	Fork                bool
	Template            bool
	// Root is what lies at the top of the default branch; RootKnown is false where GitHub has not
	// said it. A repository without a commit has an empty, known one.
	Root      []Entry
	RootKnown bool
	// Properties are its custom properties; not Known where GitHub has not said them.
	Properties pipeline.Properties
	// Err is why nothing is known of the repository besides its place in the answer; nil for most.
	Err error
}

// Entry is a file or a directory at the top of a repository.
type Entry struct {
	Name      string
	Directory bool
}

// Team is a team of an organization with its repositories.
type Team struct {
	ID   int64
	Slug string
	Name string
	// Permissions are those of the team, by the id of the repository.
	Permissions map[int64]Permission
}

// Permission is what a team may do in a repository. A custom role counts as the one that it
// extends, as GitHub's API gives it.
type Permission string

// GitHub's permissions, from the lowest to the highest
// (https://docs.github.com/graphql/reference/enums#repositorypermission).
const (
	Read     Permission = "READ"
	Triage   Permission = "TRIAGE"
	Write    Permission = "WRITE"
	Maintain Permission = "MAINTAIN"
	Admin    Permission = "ADMIN"
)
