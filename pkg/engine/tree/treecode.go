package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// RegistryDir holds a file for each customer.
const RegistryDir = "customers"

// CodeSum is the digest of what plans are made from: the manager tree without what
// changes often and no plan reads, as the registry does with each new customer. An
// entry at the top that is usually not read counts all the same where the code
// names it, or walks through directories. It answers whether the manager's code has
// changed since the last apply; an apply compares the digest of everything. Where the
// manager lists its code, exactly that counts and nothing is guessed.
type CodeSum struct {
	list  *codeList // nil: what counts is guessed
	sum   hash.Hash
	apart []*apartEntry
	walks bool // the code lists files in directories below one
	// reaches says that the registry may be read although no code names it: by a file that
	// is no code, such as a script, or under a name that is not written in the code.
	reaches bool
}

// apartEntry is an entry at the top of the tree that counts only where it is named.
type apartEntry struct {
	name  string
	sum   hash.Hash
	named bool
}

// newCodeSum reads which entries at the top of a tree are kept apart. What holds
// the root module never is.
func newCodeSum(dir, root string) (*CodeSum, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	c := &CodeSum{sum: sha256.New()}
	top, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(root)), "/")
	for _, entry := range entries {
		name := entry.Name()
		if name == top {
			continue
		}
		if usuallyUnread(name) {
			c.apart = append(c.apart, &apartEntry{name: name, sum: sha256.New()})
		}
	}
	return c, nil
}

// usuallyUnread reports whether an entry at the top of a tree is one that plans seldom read.
func usuallyUnread(name string) bool {
	return name == RegistryDir || name == ".github" || name == "docs" || name == "metapipe.yml" || strings.HasSuffix(name, ".md")
}

// of is the sum that an entry of the tree belongs to.
func (c *CodeSum) of(path string) hash.Hash {
	if c.list != nil {
		if c.list.counts(path) {
			return c.sum
		}
		return c.list.rest
	}
	top, _, _ := strings.Cut(path, "/")
	for _, entry := range c.apart {
		if entry.name == top {
			return entry.sum
		}
	}
	return c.sum
}

// isCode reports whether a file is read for the names of others.
func (c *CodeSum) isCode(path string) bool {
	if c.of(path) != c.sum {
		return false
	}
	for _, suffix := range []string{".tf", ".tofu", ".json", ".tftpl", ".tpl"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

// names is a writer that looks for names in one file of the code.
func (c *CodeSum) names() *nameFinder { return &nameFinder{code: c} }

// OwnFileOnly reports whether a plan with a root module sees no other customer's file:
// the manager's list of code names none, or else nothing in the code can read one.
func (c *CodeSum) OwnFileOnly(root string) bool {
	if c.list != nil {
		return !c.list.registry
	}
	inCode := filepath.Clean(root) == "." // the registry is in the directory of the code
	return c.RegistryUnread() && !c.reaches && !inCode
}

// RegistryUnread reports whether no code can distinguish one customer's file from another.
func (c *CodeSum) RegistryUnread() bool {
	i := slices.IndexFunc(c.apart, func(e *apartEntry) bool { return e.name == RegistryDir })
	return i >= 0 && !c.walks && !c.apart[i].named
}

// Digest is that of the code, in hexadecimal digits.
func (c *CodeSum) Digest() string {
	all := sha256.New()
	fmt.Fprintf(all, "code %x\n", c.sum.Sum(nil))
	for _, entry := range c.apart {
		if entry.named || c.walks {
			fmt.Fprintf(all, "%q %x\n", entry.name, entry.sum.Sum(nil))
		}
	}
	return hex.EncodeToString(all.Sum(nil))
}

// CodeFor adds to a digest of the code what the manager says of one customer: the
// file of that name in a copy of the tree.
func CodeFor(shared, tree string, customer pipeline.CustomerName) (string, error) {
	own, err := os.ReadFile(filepath.Join(tree, RegistryDir, string(customer)+".yml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	all := sha256.Sum256(fmt.Appendf(nil, "%s %x", shared, sha256.Sum256(own)))
	return hex.EncodeToString(all[:]), nil
}

// nameFinder looks through text that comes in pieces.
type nameFinder struct {
	code         *CodeSum
	registryOnly bool // only whether the registry is mentioned is asked
	tail         []byte
	whole        []byte // what reaches reads at the end
}

// longestCode bounds the code that is read for what it reaches.
const longestCode = 4 << 20

// end looks at the file as a whole.
func (f *nameFinder) end() { f.code.reaches = f.code.reaches || reaches(f.whole) }

var (
	// anyFile are the ways to files without their names: a list of files, the parent of a
	// directory, and programs, which may walk through the tree.
	anyFile = text.Pattern(`\bfileset\s*\(|\bdirname\s*\(|"external"|"local-exec"`)
	// source is where a module or a provider comes from.
	source = text.Pattern(`\bsource"?\s*[=:]\s*"([^"$%]*)"`)
	// provider is the usual form of a provider's source: a module has three parts or a scheme.
	provider = text.Pattern(`^[\w-]+/[\w-]+$`)
	call     = text.Pattern(`\bmodule"?\s*(?:"|:)`)
)

// reaches reports whether code may read files outside of its own directory under names
// that are not in it: what lists or computes them, a path that leads up and is no source
// of a module, and a module that is fetched, whose code no one has seen yet. It errs on
// that side: to know better saves copies alone, and a file that is missing could be taken
// for one that was removed.
func reaches(code []byte) bool {
	if anyFile().Match(code) {
		return true
	}
	modules := call().Match(code)
	for _, from := range source().FindAllSubmatch(code, -1) {
		local := bytes.HasPrefix(from[1], []byte("./")) || bytes.HasPrefix(from[1], []byte("../"))
		if modules && !local && !provider().Match(from[1]) {
			return true
		}
	}
	return bytes.Contains(source().ReplaceAll(code, nil), []byte(".."))
}

// longestName bounds what is kept of a piece for the next one; it is the longest
// name that a file system has.
const longestName = 255

func (f *nameFinder) Write(p []byte) (int, error) {
	piece := append(f.tail, p...)
	if f.registryOnly {
		f.code.reaches = f.code.reaches || bytes.Contains(piece, []byte(RegistryDir))
		f.tail = append([]byte(nil), piece[max(0, len(piece)-len(RegistryDir)):]...)
		return len(p), nil
	}
	for _, entry := range f.code.apart {
		entry.named = entry.named || bytes.Contains(piece, []byte(entry.name))
	}
	if f.whole = append(f.whole, p...); len(f.whole) > longestCode {
		f.code.reaches, f.whole = true, nil
	}
	f.code.walks = f.code.walks || bytes.Contains(piece, []byte("**/")) || bytes.Contains(piece, []byte("/**"))
	f.tail = append([]byte(nil), piece[max(0, len(piece)-longestName):]...)
	return len(p), nil
}
