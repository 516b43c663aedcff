// Package sweep finds requests and locks that no job will finish, and repairs what it
// may; unlock releases one lock.
package sweep
