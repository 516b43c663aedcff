package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// claimWait bounds the wait for another writer of the same key on file systems
// without hard links. A claim is held for two system calls.
const claimWait = 5 * time.Second

// Create implements pipeline.Store. The body goes to a temporary file beside
// the object, is synced to disk, and gets its name by link(2), which fails when
// the name is taken. So an object is there whole or not at all, also after a
// crash, which can leave nothing but a file that begins with ".metapipe-tmp-".
//
// File systems without hard links are served by an exclusive claim file and a
// rename: as safe among metapipe processes, but not against other programs that
// write into the directory.
func (d *Directory) Create(ctx context.Context, key string, body io.Reader) error {
	return d.createChecked(ctx, key, body, checkWritable(key))
}

// PutBack creates a state that RemoveState has removed. It is pipeline.ErrExists where
// there is one again.
func (d *Directory) PutBack(ctx context.Context, key string, body io.Reader) error {
	return d.createChecked(ctx, key, body, checkState(key))
}

func (d *Directory) createChecked(ctx context.Context, key string, body io.Reader, check error) error {
	if err := errors.Join(ctx.Err(), check); err != nil {
		return d.fail("create", key, err)
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return d.fail("create", key, err)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return d.fail("create", key, err)
	}
	return d.fail("create", key, errors.Join(d.create(ctx, root, key, body), root.Close()))
}

func (d *Directory) create(ctx context.Context, root *os.Root, key string, body io.Reader) error {
	// Asked first, so that a taken key costs no second copy; link decides.
	if err := free(root, key); err != nil {
		return err
	}
	if err := makeFolders(root, path.Dir(key)); err != nil {
		return err
	}
	temp := path.Join(path.Dir(key), reservedPrefix+rand.Text())
	err := writeFile(ctx, root, temp, body)
	if err == nil {
		err = d.publish(ctx, root, temp, key)
	}
	if removeErr := root.Remove(temp); removeErr != nil && !missing(removeErr) {
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		return err
	}
	return syncFolder(root, key)
}

// free returns nil when no file has the name key.
func free(root *os.Root, key string) error {
	info, err := root.Lstat(key)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: other keys begin with %q", errKey, key+"/")
	}
	return pipeline.ErrExists
}

// makeFolders makes the folders of an object and syncs each that is new.
func makeFolders(root *os.Root, folder string) error {
	info, err := root.Stat(folder)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%w: an object stands where its folder %q would be", errKey, folder)
	}
	if !missing(err) {
		return err
	}
	if err := makeFolders(root, path.Dir(folder)); err != nil {
		return err
	}
	if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(root, folder)
}

func writeFile(ctx context.Context, root *os.Root, name string, body io.Reader) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, &bodyReader{ctx: ctx, body: body})
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// bodyReader ends with its context. It hides the other methods of the body, so
// that io.Copy asks the context between any two blocks.
type bodyReader struct {
	ctx  context.Context
	body io.Reader
}

func (r *bodyReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.body.Read(p)
}

// publish gives a complete file its name, unless that is taken.
func (d *Directory) publish(ctx context.Context, root *os.Root, temp, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.link(root, temp, key)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		// Either an object, or a folder that another writer has just made.
		if err := free(root, key); err != nil {
			return err
		}
		return pipeline.ErrExists // and deleted since
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrPermission):
		// Linux answers EPERM where the file system has no hard links. If it is
		// about permissions after all, the claim says so.
		return publishByClaim(ctx, root, temp, key)
	}
	return err
}

// publishByClaim renames under an exclusive claim, since a rename alone would
// replace what another writer has just created.
func publishByClaim(ctx context.Context, root *os.Root, temp, key string) error {
	claim, err := claimName(ctx, root, key)
	if err != nil {
		return err
	}
	err = free(root, key)
	if err == nil {
		err = root.Rename(temp, key)
	}
	return errors.Join(err, root.Remove(claim))
}

func claimName(ctx context.Context, root *os.Root, key string) (string, error) {
	// Folded, so that keys which are one object have one claim.
	sum := sha256.Sum256([]byte(strings.ToLower(path.Base(key))))
	claim := path.Join(path.Dir(key), reservedPrefix+"claim-"+hex.EncodeToString(sum[:16]))
	ctx, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	for {
		file, err := root.OpenFile(claim, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return claim, file.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("another writer holds %s (remove that file when no metapipe is running): %w", claim, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// syncFolder makes the entry of name in its folder durable.
func syncFolder(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil // has no handle on a folder that can be synced
	}
	folder, err := root.Open(path.Dir(name))
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // file systems that keep no folders in memory
	}
	return errors.Join(err, folder.Close())
}
