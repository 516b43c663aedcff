// Package hub is an HTTP server with the state and rules of GitHub, for
// rehearsals and tests.
//
// It keeps repositories with real git objects, pull requests, commit statuses,
// issues and comments, deployments, environments with protection rules,
// workflow runs and an OIDC issuer, and answers the REST paths that go-github
// calls with the permissions, limits and errors of the original. Its base URL
// is the address of the server itself: it stands for the web site
// (GITHUB_SERVER_URL) and for the API (GITHUB_API_URL).
//
// The Go API sets the scene and looks at it; everything is safe for concurrent
// use. Numeric ids are handed out in order, so the same calls give the same ids.
//
// The model_ files hold what GitHub keeps, as types alone, which refer to each other.
// Each topic of GitHub has its rules in a file of its name (pulls.go) and its REST paths
// in that file or in one beside it (pulls_api.go). Topics use the model and each other
// without a circle; routes.go names all paths, and handler.go answers requests by it.
package hub
