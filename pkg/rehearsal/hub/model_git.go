package hub

import "github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"

// The modes of git tree entries that are supported.
const (
	ModeFile    = gitstore.ModeFile
	ModeExec    = gitstore.ModeExec
	ModeSymlink = gitstore.ModeSymlink
)

// The parts of git that the Go API shows.
type (
	File      = gitstore.File
	Signature = gitstore.Signature
	Commit    = gitstore.Commit
)

// BlobSHA is the git object id of a file's content.
func BlobSHA(content []byte) string { return gitstore.BlobSHA(content) }
