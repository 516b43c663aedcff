// Package gitstore keeps git objects in memory: blobs, trees and commits under the ids
// that git gives them. It answers how commits descend from each other, how trees differ
// and what a merge makes of them. It knows no branches and no repositories.
package gitstore
