package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A bundle is small: a lock file, and archives that data sources make.
const (
	bundleMaxBytes = 256 << 20
	bundleMaxFiles = 10_000
)

// WriteBundle writes a tar of the files in the tree that were made or changed
// after the copy. The same files give the same bytes. It returns how many.
func WriteBundle(name, tree string, copied map[string]Stamp, own map[string]bool) (count int, err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := tar.NewWriter(file)
	var size int64
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tree, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if entry.Name() == ".terraform" {
				return fs.SkipDir
			}
			return nil
		}
		info, changed, err := isChanged(rel, entry, copied, own)
		if err != nil || !changed {
			return err
		}
		count++
		size += info.Size()
		if count > bundleMaxFiles || size > bundleMaxBytes {
			return fmt.Errorf("init and plan wrote more than %d files or %d MB into the manager tree (last: %s): let them write less, or elsewhere",
				bundleMaxFiles, bundleMaxBytes>>20, rel)
		}
		return addToBundle(out, path, rel, info)
	})
	return count, errors.Join(err, out.Close())
}

func isChanged(rel string, entry fs.DirEntry, copied map[string]Stamp, own map[string]bool) (fs.FileInfo, bool, error) {
	if own[rel] || leftOut(entry) {
		return nil, false, nil
	}
	before, known := copied[rel]
	if known && before.mode&fs.ModeSymlink != 0 {
		return nil, false, nil
	}
	info, err := entry.Info()
	if err != nil {
		return nil, false, err
	}
	if known && before == (Stamp{info.Size(), info.ModTime(), info.Mode()}) {
		return nil, false, nil
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("init or plan made %s, which is no regular file and cannot be kept for the apply", rel)
	}
	return info, true, nil
}

func addToBundle(out *tar.Writer, path, rel string, info fs.FileInfo) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     rel,
		Size:     info.Size(),
		Mode:     int64(info.Mode().Perm()),
		Format:   tar.FormatPAX,
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	if _, err := io.Copy(out, file); err != nil {
		return fmt.Errorf("bundle %s: %w", rel, err)
	}
	return nil
}

// ExtractBundle puts the files of a bundle into the tree. It takes regular files
// inside of the tree and nothing else.
func ExtractBundle(name, tree string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	root, err := os.OpenRoot(tree)
	if err != nil {
		return err
	}
	defer root.Close()
	return extract(file, root)
}

func extract(bundle io.Reader, root *os.Root) error {
	in := tar.NewReader(bundle)
	var size int64
	for count := 1; ; count++ {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		if err := checkHeader(header); err != nil {
			return err
		}
		size += header.Size
		if count > bundleMaxFiles || size > bundleMaxBytes {
			return fmt.Errorf("bundle: holds more than %d files or %d MB", bundleMaxFiles, bundleMaxBytes>>20)
		}
		if err := extractFile(in, root, header); err != nil {
			return fmt.Errorf("bundle: %s: %w", header.Name, err)
		}
	}
}

func checkHeader(header *tar.Header) error {
	name := header.Name
	switch {
	case header.Typeflag != tar.TypeReg:
		return fmt.Errorf("bundle: %q is no regular file", name)
	case name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("bundle: %q is no path inside of the tree", name)
	case header.Size < 0:
		return fmt.Errorf("bundle: %q has a negative size", name)
	}
	return nil
}

func extractFile(in io.Reader, root *os.Root, header *tar.Header) (err error) {
	name := filepath.FromSlash(header.Name)
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	// os.Root refuses to leave the tree, but a link inside of it may be followed:
	// the file takes the place of whatever has its name.
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mode := fs.FileMode(header.Mode).Perm()&0o755 | 0o600
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = io.CopyN(file, in, header.Size)
	return err
}
