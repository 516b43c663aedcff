// Package act tests the files of workflows/ in a real runner, and the action.
package act
