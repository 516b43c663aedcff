package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Stamp shows whether a file was written after it was copied.
type Stamp struct {
	size    int64
	modTime time.Time
	mode    fs.FileMode
}

// Copy copies a manager tree and computes its digest in the same pass. The
// digest covers paths, contents, executable bits and link targets of what was
// copied, so two checkouts with the same files have the same one.
type Copy struct {
	treeWalk
	to     string // absolute
	Stamps map[string]Stamp
	sum    hash.Hash
	Root   string // of the module, relative
	// Customer is whose file of the registry is copied where no code reads others; empty
	// copies all.
	Customer pipeline.CustomerName
	// Listed are the patterns of what counts as code; empty: that is guessed.
	Listed []string
	Code   *CodeSum // made when it runs
	buffer []byte
}

// NewCopy prepares a copy that leaves out the paths of skip, where they lie
// inside of from.
func NewCopy(from, to string, skip ...string) *Copy {
	return &Copy{
		treeWalk: newTreeWalk(from, skip),
		to:       to,
		Stamps:   map[string]Stamp{},
		sum:      sha256.New(),
		buffer:   make([]byte, 256<<10),
	}
}

// Run copies and returns the digest in hexadecimal digits.
func (c *Copy) Run(ctx context.Context) (string, error) {
	if err := os.MkdirAll(c.to, 0o700); err != nil {
		return "", err
	}
	var err error
	if c.Code, err = c.newCode(ctx); err != nil {
		return "", err
	}
	// The registry comes last: only then it is known what the code reads of it.
	leftOut := c.skip[RegistryDir]
	c.skip[RegistryDir] = true
	if err := c.dir(ctx, "", c.entry); err != nil {
		return "", err
	}
	if !leftOut {
		delete(c.skip, RegistryDir)
		if err := c.registry(ctx); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(c.sum.Sum(nil)), nil
}

func (c *Copy) newCode(ctx context.Context) (*CodeSum, error) {
	if len(c.Listed) == 0 {
		return newCodeSum(c.from, c.Root)
	}
	list, err := newCodeList(ctx, c.treeWalk, c.Root, c.Listed)
	return &CodeSum{sum: sha256.New(), list: list}, err
}

// registry copies the files of the customers, or that of one where no code reads the
// others: there may be thousands.
func (c *Copy) registry(ctx context.Context) error {
	entries, err := os.ReadDir(c.from)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == RegistryDir })
	if i < 0 {
		return nil
	}
	if err := c.entry(RegistryDir, entries[i]); err != nil || !entries[i].IsDir() {
		return err
	}
	own := RegistryDir + "/" + string(c.Customer) + ".yml"
	one := c.Customer != "" && c.Code.OwnFileOnly(c.Root)
	return c.dir(ctx, RegistryDir, func(path string, entry fs.DirEntry) error {
		switch {
		case !one || path == own:
			return c.entry(path, entry)
		case entry.IsDir() || entry.Type().IsRegular():
			return nil
		}
		_, err := c.linkText(path, entry) // refused as ever
		return err
	})
}

func (c *Copy) entry(path string, entry fs.DirEntry) error {
	switch kind := entry.Type(); {
	case kind.IsDir():
		return os.Mkdir(filepath.Join(c.to, path), 0o700)
	case kind.IsRegular():
		return c.file(path)
	}
	text, err := c.linkText(path, entry)
	if err != nil {
		return err
	}
	c.Code.reaches = true // it may lead to the registry, or above it
	if err := os.Symlink(text, filepath.Join(c.to, path)); err != nil {
		return err
	}
	c.Stamps[path] = Stamp{mode: fs.ModeSymlink}
	c.note("link", path, []byte(filepath.ToSlash(text)))
	return nil
}

func (c *Copy) file(path string) (err error) {
	source, err := os.Open(filepath.Join(c.from, path))
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s was exchanged while it was copied", path)
	}
	mode := info.Mode().Perm() | 0o600
	target, err := os.OpenFile(filepath.Join(c.to, path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	content := sha256.New()
	// A plain copy through our buffer: the bytes are needed for the digest.
	sinks := []io.Writer{onlyWriter{target}, content}
	switch {
	case c.Code.list != nil:
	case c.Code.isCode(path):
		names := c.Code.names()
		defer names.end()
		sinks = append(sinks, names)
	case c.Code.of(path) == c.Code.sum:
		sinks = append(sinks, &nameFinder{code: c.Code, registryOnly: true})
	}
	if _, err := io.CopyBuffer(io.MultiWriter(sinks...), onlyReader{source}, c.buffer); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	written, err := target.Stat()
	if err != nil {
		return err
	}
	c.Stamps[path] = Stamp{written.Size(), written.ModTime(), written.Mode()}
	kind := "file"
	if info.Mode().Perm()&0o111 != 0 {
		kind = "program"
	}
	c.note(kind, path, content.Sum(nil))
	return nil
}

// note adds one entry to the digests. Lengths keep entries apart.
func (c *Copy) note(kind, path string, content []byte) {
	for _, sum := range []hash.Hash{c.sum, c.Code.of(path)} {
		fmt.Fprintf(sum, "%s %d %s %d ", kind, len(path), path, len(content))
		sum.Write(content)
	}
}

// onlyWriter and onlyReader hide ReadFrom and WriteTo, which would bypass the
// shared buffer.
type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }
