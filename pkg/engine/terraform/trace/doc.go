// Package trace follows the code of the manager back to a line of variables.yml.
package trace
