package terraform

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
	"time"
)

// stamp tells whether a file was written after it was copied.
type stamp struct {
	size    int64
	modTime time.Time
	mode    fs.FileMode
}

// treeCopy copies a manager tree and computes its digest in the same pass. The
// digest covers paths, contents, executable bits and link targets of what was
// copied, so two checkouts with the same files have the same one.
type treeCopy struct {
	treeWalk
	to     string // absolute
	stamps map[string]stamp
	sum    hash.Hash
	root   string   // of the module, relative
	code   *codeSum // made when it runs
	buffer []byte
}

// newTreeCopy prepares a copy that leaves out the paths of skip, where they lie
// inside of from.
func newTreeCopy(from, to string, skip ...string) *treeCopy {
	return &treeCopy{
		treeWalk: newTreeWalk(from, skip),
		to:       to,
		stamps:   map[string]stamp{},
		sum:      sha256.New(),
		buffer:   make([]byte, 256<<10),
	}
}

// run copies and returns the digest in hexadecimal digits.
func (c *treeCopy) run(ctx context.Context) (string, error) {
	if err := os.MkdirAll(c.to, 0o700); err != nil {
		return "", err
	}
	var err error
	if c.code, err = newCodeSum(c.from, c.root); err != nil {
		return "", err
	}
	if err := c.dir(ctx, "", c.entry); err != nil {
		return "", err
	}
	return hex.EncodeToString(c.sum.Sum(nil)), nil
}

func (c *treeCopy) entry(path string, entry fs.DirEntry) error {
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
	if err := os.Symlink(text, filepath.Join(c.to, path)); err != nil {
		return err
	}
	c.stamps[path] = stamp{mode: fs.ModeSymlink}
	c.note("link", path, []byte(filepath.ToSlash(text)))
	return nil
}

func (c *treeCopy) file(path string) (err error) {
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
	if c.code.isCode(path) {
		sinks = append(sinks, c.code.names())
	}
	if _, err := io.CopyBuffer(io.MultiWriter(sinks...), onlyReader{source}, c.buffer); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	written, err := target.Stat()
	if err != nil {
		return err
	}
	c.stamps[path] = stamp{written.Size(), written.ModTime(), written.Mode()}
	kind := "file"
	if info.Mode().Perm()&0o111 != 0 {
		kind = "program"
	}
	c.note(kind, path, content.Sum(nil))
	return nil
}

// note adds one entry to the digests. Lengths keep entries apart.
func (c *treeCopy) note(kind, path string, content []byte) {
	for _, sum := range []hash.Hash{c.sum, c.code.of(path)} {
		fmt.Fprintf(sum, "%s %d %s %d ", kind, len(path), path, len(content))
		sum.Write(content)
	}
}

// onlyWriter and onlyReader hide ReadFrom and WriteTo, which would bypass the
// shared buffer.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
