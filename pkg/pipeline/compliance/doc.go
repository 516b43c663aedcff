// Package compliance compares the repositories of organizations with the provider's rules
// about custom properties, teams and content.
package compliance
