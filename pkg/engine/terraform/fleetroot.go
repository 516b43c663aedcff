package terraform

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// preparedRoot is a root module with its providers and modules:
//
//	<dir>/tree   a copy of the manager tree, with the lock file
//	<dir>/data   what `init -backend=false` put there
//
// Both are only read once it is ready. Its fields are written by whoever holds
// turn.
type preparedRoot struct {
	dir   string
	turn  chan struct{}
	ready bool
	tries int
	hangs int // tries that ended with the time of their target
	// patience is the longest of those times.
	patience time.Duration
	err      error
	digest   string
	code     string // digest of what plans are made from
	linked   bool   // the registry is not copied for each target
	ownOnly  bool   // of the registry, a target gets its customer's file alone
	tool     tool.Binary
	module   module.Root
	rel      string // of the root module in the tree
	// lock is the dependency lock file, nil when there is none; bare is the same
	// without checksums.
	lock, bare []byte

	mu        sync.Mutex
	templates map[string]*backendTemplate // by type
}

// prepare copies the manager tree and initializes it without a backend, so that
// nothing in it comes from the target that happened to be the first.
func (p *preparedRoot) prepare(ctx context.Context, f *Fleet, job pipeline.Job, tool tool.Binary) error {
	base := job
	base.Dir, base.Log = f.dir, nil // the whole directory of the fleet is left out of the copy
	w := &workspace{job: base, engine: f.engine, tool: tool, dir: p.dir, log: redact.NewLog(nil), fed: &redact.Filter{}, shared: true, readOnly: true}
	w.tree, w.data = filepath.Join(p.dir, "tree"), filepath.Join(p.dir, "data")
	p.rel = filepath.FromSlash(job.Root())
	w.root = filepath.Join(w.tree, p.rel)
	var err error
	if err := errors.Join(removeLeftovers(p.dir), os.Mkdir(w.data, 0o700)); err != nil {
		return w.written("make the run directory", err)
	}
	if err := w.copyTree(ctx); err != nil {
		return w.written("copy the manager directory", err)
	}
	if p.module, err = module.ReadRoot(w.root, tool.Name); err != nil {
		return err
	}
	if err := errors.Join(p.module.Refusal(job.Root()), w.setEnvironment()); err != nil {
		return err
	}
	if output, err := w.initialize(ctx, "-backend=false"); err != nil {
		return w.failure(ctx, "init", err, w.diagnose(output.Diagnostics, w.fed))
	}
	p.digest, p.code, p.tool = w.digest, w.code.Digest(), tool
	p.linked, p.ownOnly = w.code.RegistryUnread(), w.code.OwnFileOnly(p.rel)
	p.lock, err = os.ReadFile(filepath.Join(w.root, output.LockFileName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	p.bare = withoutChecksums(p.lock)
	return err
}

// withoutChecksums takes the hashes out of a lock file. Each process of the tool
// computes those of the whole provider anew, a second for the largest. Here they
// were compared when the root was prepared, in a directory that no one else can
// write to.
func withoutChecksums(lock []byte) []byte {
	var out bytes.Buffer
	inside := false
	for line := range bytes.Lines(lock) {
		text := strings.ReplaceAll(strings.TrimSpace(string(line)), " ", "")
		switch {
		case inside:
			inside = text != "]"
		case strings.HasPrefix(text, "hashes=["):
			inside = !strings.HasSuffix(text, "]")
		default:
			out.Write(line)
		}
	}
	if inside {
		return lock
	}
	return out.Bytes()
}

// open makes the workspace of one target from the prepared root.
func (p *preparedRoot) open(e *Engine, job pipeline.Job) (*workspace, error) {
	w := &workspace{job: job, engine: e, tool: p.tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log), module: p.module, digest: p.digest, openBackend: true, readOnly: true}
	w.tree, w.data = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "data")
	w.root = filepath.Join(w.tree, p.rel)
	if err := errors.Join(removeLeftovers(w.dir), os.Mkdir(w.data, 0o700)); err != nil {
		return nil, w.written("make the run directory", err)
	}
	if err := p.fill(w); err != nil {
		return nil, w.written("copy the prepared root", err)
	}
	return w, w.setEnvironment()
}

// fill copies the tree, since a plan may write into it (archives, for example),
// and links to what the tool only reads.
func (p *preparedRoot) fill(w *workspace) error {
	own := ""
	if p.ownOnly {
		own = filepath.Join(tree.RegistryDir, string(w.job.Customer.Name)+".yml")
	}
	if err := cloneTree(filepath.Join(p.dir, "tree"), w.tree, p.linked, own); err != nil {
		return err
	}
	return p.link(w, "modules")
}

// link makes a folder of the prepared data directory one of a target's. Nothing
// may be run there that could write to it.
func (p *preparedRoot) link(w *workspace, name string) error {
	shared := filepath.Join(p.dir, "data", name)
	if _, err := os.Stat(shared); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return os.Symlink(shared, filepath.Join(w.data, name))
}

// cloneTree copies a tree that is a copy itself. The registry of customers, which
// may hold a file for each target, is linked to where no code reads it. Own is the
// only file of it that is copied; empty copies all.
func cloneTree(from, to string, linked bool, own string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case linked && rel == tree.RegistryDir && entry.IsDir():
			if err := os.Symlink(path, target); err != nil {
				return err
			}
			return fs.SkipDir
		case own != "" && rel != own && strings.HasPrefix(rel, tree.RegistryDir+string(filepath.Separator)):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return os.Mkdir(target, 0o700)
		case entry.Type()&fs.ModeSymlink != 0:
			text, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(text, target)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm())
	})
}

// connect makes the tool know its backend. With a version in noteVersions, the first
// target of a root is initialized in earnest, and for the others the note that the
// tool made then is written with their own arguments. One whose arguments are of
// another shape is initialized too, and so is each target of any other version.
func (p *preparedRoot) connect(ctx context.Context, w *workspace) (*output.Stream, error) {
	if !writesNotes(p.tool) {
		return p.initialize(ctx, w)
	}
	note := filepath.Join(w.data, noteFile)
	p.mu.Lock()
	template := p.templates[w.backend.Type]
	p.mu.Unlock()
	if template != nil {
		if content, ok := template.fill(w.backend.Config); ok {
			return &output.Stream{}, errors.Join(os.WriteFile(note, content, 0o600), p.link(w, "providers"), p.writeLock(w, p.bare))
		}
	}
	output, err := p.initialize(ctx, w)
	if err != nil {
		return output, err
	}
	template = readTemplate(note, w.backend)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.templates[w.backend.Type] == nil {
		p.templates[w.backend.Type] = template
	}
	return output, p.writeLock(w, p.bare)
}

// initialize runs init for one target.
func (p *preparedRoot) initialize(ctx context.Context, w *workspace) (*output.Stream, error) {
	if err := p.writeLock(w, p.lock); err != nil {
		return &output.Stream{}, w.failed("write the lock file", err)
	}
	return w.connect(ctx, append(p.initArgs(), w.backendArgs...)...)
}

// initArgs are those of the target that is initialized in earnest. Its providers
// come from the prepared ones and from nowhere else, into a folder of its own: a
// state that names another provider must not bring that to all targets.
func (p *preparedRoot) initArgs() []string {
	args := []string{"-reconfigure", "-get=false"}
	providers := filepath.Join(p.dir, "data", "providers")
	if _, err := os.Stat(providers); err == nil {
		args = append(args, "-plugin-dir="+providers)
	}
	return args
}

func (p *preparedRoot) writeLock(w *workspace, content []byte) error {
	if p.lock == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(w.root, output.LockFileName), content, 0o600)
}
