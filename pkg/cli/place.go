package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// objects is what both kinds of store can do.
type objects interface {
	pipeline.Store
	Describe(ctx context.Context, prefix string) ([]store.Described, error)
	RemoveState(ctx context.Context, key string) error
	PutBack(ctx context.Context, key string, body io.Reader) error
}

// place finds and opens the store of a manager.
type place struct {
	app *App
	dir string // of the manager
	// named is the directory of --store; empty without the flag.
	named string
	state *pipeline.State // that of metapipe.yml; choose completes it
}

// override is the directory that replaces what metapipe.yml says, and what names it; both
// are empty where nothing does.
func (p place) override() (dir, by string) {
	if p.named != "" {
		return p.named, "--store"
	}
	if dir = p.app.getenv(envStore); dir != "" {
		by = envStore
	}
	return dir, by
}

// choose decides where states and plans are kept: in the directory of --store
// or METAPIPE_STORE, else where metapipe.yml says, else in the bucket of
// TF_STATE_BUCKET, else in the directory of a machine of one's own. Done a second
// time it changes nothing.
func (p place) choose() {
	if dir, _ := p.override(); dir != "" {
		// A directory of one's own: no bucket and no backend is touched.
		*p.state = pipeline.State{Directory: p.app.absolute(dir)}
		return
	}
	if bucket := p.app.getenv(envBucket); bucket != "" && p.state.Directory == "" && p.state.Bucket.Name == "" {
		p.state.Bucket.Name = bucket
	}
	if p.state.Bucket.Name != "" {
		return
	}
	if p.state.Directory == "" {
		p.state.Directory = config.DefaultStateDirectory
	}
	if !filepath.IsAbs(p.state.Directory) {
		p.state.Directory = filepath.Join(p.dir, p.state.Directory)
	}
}

// open opens the store. directory is the absolute one of it; empty for a bucket.
func (p place) open(ctx context.Context) (s objects, directory string, err error) {
	p.choose()
	if p.state.Bucket.Name == "" {
		return p.openDirectory()
	}
	s3, err := store.NewS3(ctx, bucketOptions(p.app, p.state.Bucket))
	if err != nil {
		return nil, "", err
	}
	// The tool must look where the store does, also when a profile names the region.
	p.state.Bucket.Region = s3.Region()
	return s3, "", nil
}

func (p place) openDirectory() (s objects, directory string, err error) {
	// A hosted runner is a new machine for each job: what one job puts into a
	// directory there, the next one does not find.
	if p.app.getenv("RUNNER_ENVIRONMENT") == "github-hosted" {
		return nil, "", pipeline.Usagef("state.directory cannot carry plans from job to job on hosted runners: each job is another machine").
			Nextf("name a bucket with `state.bucket` or the variable TF_STATE_BUCKET, or use one self-hosted runner for all jobs of the " +
				"manager")
	}
	if err := p.usable(); err != nil {
		return nil, "", err
	}
	d, err := store.NewDirectory(p.state.Directory)
	if err != nil {
		return nil, "", pipeline.Usagef("open the store").Because(err).
			Nextf("name a directory that this user may write, with --store or `state.directory`")
	}
	return d, d.Path(), nil
}

// keepOutOfGit writes a .gitignore beside the default directory of states, before the
// first object is written there.
func (p place) keepOutOfGit() error {
	if p.state.Bucket.Name != "" || !p.isDefault() {
		return nil
	}
	dir := filepath.Dir(p.state.Directory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return pipeline.Usagef("make the directory of states").Because(err).
			Nextf("name a directory that this user may write, with --store or `state.directory`")
	}
	f, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep %s out of git: %w", dir, err)
	}
	_, err = f.WriteString("*\n")
	return errors.Join(err, f.Close())
}

// isMissing reports whether the store is a directory that is not there: nothing is in it.
func (p place) isMissing() bool {
	p.choose()
	return p.state.Bucket.Name == "" && errors.Is(statErr(p.state.Directory), fs.ErrNotExist)
}

// usable refuses a path at which no store can be: a file, a path through a file, or a
// directory that cannot be read. Nothing may take one of those for an empty store. A
// path at which nothing is can become a store. choose comes before it.
func (p place) usable() error {
	info, err := os.Stat(p.state.Directory)
	const next = "name a directory that this user may read and write, with --store or `state.directory`"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return pipeline.Usagef("%s is not possible: a directory of its path is a file", p.title()).Nextf(next)
	case err != nil:
		return pipeline.Usagef("%s cannot be read", p.title()).Because(err).Nextf(next)
	case !info.IsDir():
		return pipeline.Usagef("%s is not a directory", p.title()).Nextf(next)
	}
	return nil
}

// title names the directory of the store and what names that. choose comes before it.
func (p place) title() string {
	if _, by := p.override(); by != "" {
		return fmt.Sprintf("the store %s of %s", p.state.Directory, by)
	}
	if p.isDefault() {
		return "the store " + p.state.Directory
	}
	return fmt.Sprintf("the store %s of state.directory in %s", p.state.Directory, config.ManagerFile)
}

func (p place) isDefault() bool {
	return p.state.Directory == filepath.Join(p.dir, config.DefaultStateDirectory)
}

// missing refuses a directory that is not there, and says who named it. choose comes
// before it.
func (p place) missing() error {
	if dir, _ := p.override(); dir != "" {
		return pipeline.Usagef("%s does not exist", p.title()).
			Nextf("correct the path, or leave it out for the place that %s names", config.ManagerFile)
	}
	if !p.isDefault() {
		return pipeline.Usagef("%s does not exist", p.title()).
			Nextf("correct the path, or mount what it is on; the first request of a new manager makes it")
	}
	return pipeline.Usagef("no store is named, and %s does not exist", p.state.Directory).
		Nextf("set %s to the bucket of the workflows, or name a directory with --store; the first request of a new manager makes the "+
			"directory", envBucket)
}

// exists refuses a directory that is not there: what a command reads from it would look
// as if nothing was ever deployed. Where metapipe.yml names it, the manager may be new:
// with list, for a list of states, that is no error.
func (p place) exists(list bool) error {
	if !p.isMissing() {
		return nil
	}
	if dir, _ := p.override(); dir == "" && list {
		p.app.logf("no state yet: %s does not exist", p.state.Directory)
		return nil
	}
	return p.missing()
}

func statErr(path string) error {
	_, err := os.Stat(path)
	return err
}

// bucketOptions asks for an encryption with every write, as the tool does for its
// states: bucket policies can refuse writes that leave it to the bucket.
func bucketOptions(app *App, b pipeline.Bucket) store.S3Options {
	o := store.S3Options{Bucket: b.Name, Region: b.Region, Prefix: b.Prefix, Encryption: store.EncryptionS3, Lookup: app.lookup}
	if b.KMSKey != "" {
		o.Encryption, o.KMSKeyID = store.EncryptionKMS, b.KMSKey
	}
	return o
}

// backend is where the tool keeps the state of a target.
func (m *manager) backend(t pipeline.Target) pipeline.Backend {
	return m.config.Manager.Backend(t, m.directory)
}

// spareDir is where a sealed state goes when the store cannot take it: a place
// that outlasts the run directory, and that a later step of the job can reach.
func (m *manager) spareDir(p directories) string {
	switch {
	case p.runDir != "":
		return m.app.absolute(p.runDir)
	case m.context.RunnerTemp != "":
		return m.context.RunnerTemp
	}
	return os.TempDir()
}
