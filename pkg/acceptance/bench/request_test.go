package bench

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// request measures what a user feels of one request: how much runs, how much is
// asked, how soon something is to be seen, and what is downloaded for it.
func (b *bench) request(t *testing.T) {
	b.targetSteps(t)
	b.pullRequest(t)
	b.download(t)
}

// targetSteps counts what runs for one target: the steps of its workflows, those
// that start metapipe, and the processes of the tool that these start.
func (b *bench) targetSteps(t *testing.T) {
	t.Helper()
	steps, own := 0, 0
	for _, name := range []string{"infra-target.yml", "infra-apply.yml"} {
		raw, err := os.ReadFile(filepath.Join(fixture.RepoRoot, "workflows", "manager", name))
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct{ Run string }
			}
		}
		if err := yaml.Unmarshal(raw, &workflow); err != nil {
			t.Fatal(err)
		}
		for _, job := range workflow.Jobs {
			steps += len(job.Steps)
			for _, step := range job.Steps {
				own += strings.Count(step.Run, "exec metapipe ")
			}
		}
	}
	if own == 0 {
		t.Fatal("the workflows of a target start no metapipe")
	}
	stand, calls := b.recorder(t)
	plan, apply := CountProcesses(t, stand, calls)
	b.add(t, row{name: "steps of the workflow for one target, plan and apply", measured: float64(steps), aim: 11, limit: 11, unit: "processes"})
	b.add(t, row{name: "  those that are a process of metapipe", measured: float64(own), aim: 5, limit: 5, unit: "processes"})
	b.add(t, row{name: "  processes of terraform: plan", measured: float64(plan), aim: 3, limit: 3, unit: "processes"})
	b.add(t, row{name: "  processes of terraform: apply", measured: float64(apply), aim: 2, limit: 3, unit: "processes"})
}

// pullRequest counts the calls to GitHub for a pull request of two environments,
// and for its run that is run again with nothing changed.
func (b *bench) pullRequest(t *testing.T) {
	t.Helper()
	counted := fixture.CountPullRequest(t)
	t.Logf("first %+v\nagain %+v", counted.First, counted.Again)
	for _, part := range []struct {
		name          string
		steps         []fixture.StepCalls
		reads, writes float64 // the counts at the time of writing
	}{
		// Each report reads the repository and the statuses in one call, to make sure where it
		// writes, and the comments where it has one.
		{"pull request of two environments", counted.First, 17, 11},
		{"  its run once more, with nothing changed", counted.Again, 11, 4},
	} {
		reads, writes := 0, 0
		for _, s := range part.steps {
			reads, writes = reads+s.Reads, writes+s.Writes
		}
		b.add(t, row{name: part.name + ": GitHub reads", measured: float64(reads), aim: part.reads, limit: part.reads, unit: "calls"})
		b.add(t, row{name: part.name + ": GitHub writes", measured: float64(writes), aim: part.writes, limit: part.writes, unit: "calls"})
	}
	b.add(t, row{name: "  writes of a report that is repeated", measured: float64(counted.Repeated.Writes), unit: "must be 0"})
	b.add(t, row{name: "dispatch to first status, without GitHub's queue", measured: milliseconds(counted.FirstStatus), unit: "ms"})
}

// download packs the binary as a release does, and measures what action.yml
// downloads of it: the archive and the list of checksums.
func (b *bench) download(t *testing.T) {
	t.Helper()
	file := filepath.Join(b.dir, "metapipe_0.0.0_linux_amd64.tar.gz")
	if err := pack(file, b.metapipe, filepath.Join(fixture.RepoRoot, "LICENSE"), filepath.Join(fixture.RepoRoot, "README.md")); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const archives = 6 // three systems on two architectures
	checksums := archives * len(fmt.Sprintf("%x  %s\n", sha256.Sum256(archive), filepath.Base(file)))
	b.add(t, row{name: "downloaded by the action: archive and checksums", measured: float64(len(archive)+checksums) / 1e6, aim: 12, limit: 15, unit: "MB"})
}

func pack(into string, files ...string) (err error) {
	out, err := os.Create(into)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(out)
	archive := tar.NewWriter(zipped)
	for _, file := range files {
		if err := packFile(archive, file); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return out.Close()
}

func packFile(archive *tar.Writer, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, in)
	return err
}
