package gitstore

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
	ModeTree    = "040000"
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

// Entry is one line of a tree object.
type Entry struct{ Name, Mode, SHA string }

// Store holds the objects of a repository and all its forks. As on
// GitHub, every member of the network can read every object by its id.
type Store struct {
	Blobs   map[string][]byte
	Trees   map[string][]Entry
	Commits map[string]*Commit
}

// NewStore is a store without objects.
func NewStore() *Store {
	return &Store{Blobs: map[string][]byte{}, Trees: map[string][]Entry{}, Commits: map[string]*Commit{}}
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

// PutBlob keeps the content of a file and returns its id.
func (o *Store) PutBlob(content []byte) string {
	sha := BlobSHA(content)
	if _, have := o.Blobs[sha]; !have {
		o.Blobs[sha] = bytes.Clone(content)
	}
	return sha
}

func (o *Store) putTree(entries []Entry) string {
	// git orders by bytes, with a slash behind the names of directories.
	key := func(e Entry) string {
		if e.Mode == ModeTree {
			return e.Name + "/"
		}
		return e.Name
	}
	sort.Slice(entries, func(i, j int) bool { return key(entries[i]) < key(entries[j]) })
	var data bytes.Buffer
	for _, e := range entries {
		// The only place where git drops the leading zero of the mode.
		fmt.Fprintf(&data, "%s %s\x00", strings.TrimPrefix(e.Mode, "0"), e.Name)
		// The ids come from hashObject, so they are hexadecimal.
		raw, _ := hex.DecodeString(e.SHA)
		data.Write(raw)
	}
	sha := hashObject("tree", data.Bytes())
	o.Trees[sha] = entries
	return sha
}

// PutCommit keeps a commit, whose SHA is not looked at, and returns its id.
func (o *Store) PutCommit(c Commit) string {
	var data strings.Builder
	fmt.Fprintf(&data, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&data, "parent %s\n", p)
	}
	fmt.Fprintf(&data, "author %s\ncommitter %s\n\n%s", c.Author.git(), c.Committer.git(), c.Message)
	c.SHA = hashObject("commit", []byte(data.String()))
	o.Commits[c.SHA] = &c
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
