package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// objects is what both kinds of store can do.
type objects interface {
	pipeline.Store
	Describe(ctx context.Context, prefix string) ([]store.Described, error)
}

// chooseStore decides where states and plans are kept: in the directory of --store
// or METAPIPE_STORE, else where metapipe.yml says, else in the bucket of
// TF_STATE_BUCKET, else in the directory of a machine of one's own. Done a second
// time it changes nothing.
func (m *manager) chooseStore(override string) {
	state := &m.config.Manager.State
	if override == "" {
		override = m.app.getenv(envStore)
	}
	if override != "" {
		// A directory of one's own: no bucket and no backend is touched.
		*state = pipeline.State{Directory: m.app.absolute(override)}
		return
	}
	if bucket := m.app.getenv(envBucket); bucket != "" && state.Directory == "" && state.Bucket.Name == "" {
		state.Bucket.Name = bucket
	}
	if state.Bucket.Name != "" {
		return
	}
	if state.Directory == "" {
		state.Directory = config.DefaultStateDirectory
	}
	if !filepath.IsAbs(state.Directory) {
		state.Directory = filepath.Join(m.dir, state.Directory)
	}
}

// openStore opens the store that chooseStore finds.
func (m *manager) openStore(ctx context.Context, override string) error {
	m.chooseStore(override)
	if state := m.config.Manager.State; state.Bucket.Name != "" {
		return m.openBucket(ctx, state.Bucket)
	}
	return m.openDirectory(m.config.Manager.State.Directory)
}

func (m *manager) openDirectory(dir string) error {
	// A hosted runner is a new machine for each job: what one job puts into a
	// directory there, the next one does not find.
	if m.app.getenv("RUNNER_ENVIRONMENT") == "github-hosted" {
		return &pipeline.UsageError{Message: "state.directory cannot carry plans from job to job on hosted runners: each job is another machine", Next: "name a bucket with `state.bucket` or the variable TF_STATE_BUCKET, or use one self-hosted runner for all jobs of the manager"}
	}
	d, err := store.NewDirectory(dir)
	if err != nil {
		return &pipeline.UsageError{Message: "open the store", Err: err, Next: "name a directory that this user may write, with --store or `state.directory`"}
	}
	m.store, m.directory = d, d.Path()
	return nil
}

// ignoreStates keeps the default directory of states out of git, before the first
// object is written there.
func (m *manager) ignoreStates() error {
	dir := filepath.Dir(m.directory)
	if m.directory != filepath.Join(m.dir, config.DefaultStateDirectory) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &pipeline.UsageError{Message: "make the directory of states", Err: err, Next: "name a directory that this user may write, with --store or `state.directory`"}
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

func (m *manager) openBucket(ctx context.Context, b pipeline.Bucket) error {
	s3, err := store.NewS3(ctx, m.bucketOptions(b))
	if err != nil {
		return err
	}
	m.store = s3
	// The tool must look where the store does, also when a profile names the region.
	m.config.Manager.State.Bucket.Region = s3.Region()
	return nil
}

// bucketOptions asks for an encryption with every write, as the tool does for its
// states: bucket policies can refuse writes that leave it to the bucket.
func (m *manager) bucketOptions(b pipeline.Bucket) store.S3Options {
	o := store.S3Options{Bucket: b.Name, Region: b.Region, Prefix: b.Prefix, Encryption: store.EncryptionS3, Lookup: m.app.lookup}
	if b.KMSKey != "" {
		o.Encryption, o.KMSKeyID = store.EncryptionKMS, b.KMSKey
	}
	return o
}

// backend is where the tool keeps the state of a target.
func (m *manager) backend(c pipeline.Customer, env pipeline.Environment) pipeline.Backend {
	return m.config.Manager.State.Target(c.Name, env, m.directory)
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
