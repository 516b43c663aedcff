package hub

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"
)

// The modes of git tree entries that are supported.
const (
	ModeFile    = "100644"
	ModeExec    = "100755"
	ModeSymlink = "120000"
	modeTree    = "040000"
)

// File is the content of one path. An empty Mode is ModeFile; of a symlink the
// content is its target.
type File struct {
	Content []byte
	Mode    string
}

// Signature says who made a commit and when.
type Signature struct {
	Name  string
	Email string
	When  time.Time
}

// Commit is one git commit.
type Commit struct {
	SHA       string
	Tree      string
	Parents   []string
	Author    Signature
	Committer Signature
	Message   string
}

// treeEntry is one line of a tree object.
type treeEntry struct{ name, mode, sha string }

// objectStore holds the objects of a repository and all its forks. As on
// GitHub, every member of the network can read every object by its id.
type objectStore struct {
	blobs   map[string][]byte
	trees   map[string][]treeEntry
	commits map[string]*Commit
}

func newObjectStore() *objectStore {
	return &objectStore{blobs: map[string][]byte{}, trees: map[string][]treeEntry{}, commits: map[string]*Commit{}}
}

// hashObject is git's object id: SHA-1 over "<kind> <length>\0<data>".
func hashObject(kind string, data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// BlobSHA is the git object id of a file's content.
func BlobSHA(content []byte) string { return hashObject("blob", content) }

func (o *objectStore) putBlob(content []byte) string {
	sha := BlobSHA(content)
	if _, have := o.blobs[sha]; !have {
		o.blobs[sha] = bytes.Clone(content)
	}
	return sha
}

func (o *objectStore) putTree(entries []treeEntry) string {
	// git orders by bytes, with a slash behind the names of directories.
	key := func(e treeEntry) string {
		if e.mode == modeTree {
			return e.name + "/"
		}
		return e.name
	}
	sort.Slice(entries, func(i, j int) bool { return key(entries[i]) < key(entries[j]) })
	var data bytes.Buffer
	for _, e := range entries {
		// The only place where git drops the leading zero of the mode.
		fmt.Fprintf(&data, "%s %s\x00", strings.TrimPrefix(e.mode, "0"), e.name)
		// The ids come from hashObject, so they are hexadecimal.
		raw, _ := hex.DecodeString(e.sha)
		data.Write(raw)
	}
	sha := hashObject("tree", data.Bytes())
	o.trees[sha] = entries
	return sha
}

func (o *objectStore) putCommit(c Commit) string {
	var data strings.Builder
	fmt.Fprintf(&data, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&data, "parent %s\n", p)
	}
	fmt.Fprintf(&data, "author %s\ncommitter %s\n\n%s", c.Author.git(), c.Committer.git(), c.Message)
	c.SHA = hashObject("commit", []byte(data.String()))
	o.commits[c.SHA] = &c
	return c.SHA
}

// git renders the signature as it stands in a commit. What would break the line
// is dropped, as git does.
func (s Signature) git() string {
	clean := strings.NewReplacer("<", "", ">", "", "\n", "").Replace
	_, offset := s.When.Zone()
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("%s <%s> %d %c%02d%02d", clean(s.Name), clean(s.Email), s.When.Unix(), sign, offset/3600, offset/60%60)
}
