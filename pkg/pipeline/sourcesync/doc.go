// Package sourcesync brings custom properties of repositories in line with sources of truth, such as a billing
// system or a directory of people. It reads every source as a whole, or takes nothing of it, and decides by the order
// of authority of sync.yml which value each property has to have. What is to be written is a plan of package change.
package sourcesync
