// Package doctor looks at a manager, its customers and their tokens without changing
// anything, and says what is wrong, what to do about it, and which permission of which token
// is missing.
//
// Each check is a value, see Check, and each kind of check is in All.
package doctor
