// Package spacelift is an HTTP server with the state and rules of Spacelift's GraphQL API,
// for rehearsals and tests.
//
// It keeps spaces, stacks with their configuration, policies, contexts, worker pools,
// dependencies, drift schedules and runs, and answers POST /graphql. Every query is checked
// against schema.graphql: an unknown field, a missing argument or a wrong scalar is an
// answer with errors and HTTP status 200, as in the original.
//
// The Go API sets the scene and looks at it; everything is safe for concurrent use. Ids are
// handed out in order, so the same calls give the same ids. Nothing happens by itself: runs
// and deletions advance by one state with each call of Step, and time is the clock that New
// got.
//
// Where Spacelift documents no limit, the limits are those that its own clients keep to: 50
// stacks on a page, 50 runs in a list.
package spacelift
