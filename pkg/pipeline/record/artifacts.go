package record

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ObjectArtifacts is the one object of a plan that only its apply needs: a sealed tar
// archive of variables.yml, of the salt of the plan and of the artifacts of the engine, by name. Together they cost
// one request to write, to read and to delete.
const ObjectArtifacts = "artifacts.sealed"

// Members beside the artifacts, which no artifact is called like: those hold no dot.
const (
	memberVariables = pipeline.VariablesFile
	memberSalt      = "plan.salt"
)

// SealArtifacts writes the archive of a plan, bound to its receipt.
func SealArtifacts(ctx context.Context, s Records, folder PlanAttempt, receipt pipeline.Receipt, artifacts pipeline.Artifacts, salt pipeline.Salt, variables []byte) error {
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeArtifacts(pw, artifacts, salt, variables)) }()
	err := SealInto(ctx, s.Store, s.Sealer, folder.Key(ObjectArtifacts), pipeline.BindTo(receipt, ObjectArtifacts), pr)
	// A store that stopped early must not leave the writer waiting.
	return errors.Join(err, pr.Close())
}

func writeArtifacts(to io.Writer, artifacts pipeline.Artifacts, salt pipeline.Salt, variables []byte) error {
	w := tar.NewWriter(to)
	add := func(name string, size int64, body io.Reader) error {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600}); err != nil {
			return err
		}
		_, err := io.Copy(w, body)
		return err
	}
	if err := add(memberVariables, int64(len(variables)), bytes.NewReader(variables)); err != nil {
		return err
	}
	if err := add(memberSalt, int64(len(salt)), strings.NewReader(string(salt))); err != nil {
		return err
	}
	for _, name := range artifacts.Names() {
		f, err := os.Open(artifacts[name])
		if err != nil {
			return fmt.Errorf("store artifact %s: %w", name, err)
		}
		info, err := f.Stat()
		if err == nil {
			err = add(name, info.Size(), f)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("store artifact %s: %w", name, err)
		}
	}
	return w.Close()
}

// OpenArtifacts writes the artifacts of a plan into dir, where only we can read them, and
// returns them with the salt of the plan and variables.yml. An archive that does not belong to the receipt, or that
// holds anything which the receipt does not name, is ErrTampered: the files are of no use
// then. The engine compares their content with the receipt (StoredPlan.Verify).
func OpenArtifacts(ctx context.Context, s Records, folder PlanAttempt, receipt pipeline.Receipt, dir string) (pipeline.Artifacts, pipeline.Salt, []byte, error) {
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(Unseal(ctx, s.Store, s.Sealer, folder.Key(ObjectArtifacts), pipeline.BindTo(receipt, ObjectArtifacts), pw))
	}()
	artifacts, salt, variables, err := readArtifacts(pr, receipt, dir)
	if err == nil {
		_, err = io.Copy(io.Discard, pr) // only the end tells that nothing is missing
	}
	if err = errors.Join(err, pr.Close()); err != nil {
		return nil, "", nil, fmt.Errorf("open %s: %w", folder.Key(ObjectArtifacts), err)
	}
	return artifacts, salt, variables, nil
}

func readArtifacts(from io.Reader, receipt pipeline.Receipt, dir string) (pipeline.Artifacts, pipeline.Salt, []byte, error) {
	r, artifacts := tar.NewReader(from), pipeline.Artifacts{}
	var variables, salt []byte
	for {
		header, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			if variables == nil || !pipeline.Salt(salt).IsWhole() {
				return nil, "", nil, fmt.Errorf("%w: the archive lacks %s or %s", pipeline.ErrTampered, memberVariables, memberSalt)
			}
			return artifacts, pipeline.Salt(salt), variables, nil
		case errors.Is(err, tar.ErrHeader):
			return nil, "", nil, fmt.Errorf("%w: it is no archive", pipeline.ErrTampered)
		case err != nil:
			return nil, "", nil, err
		}
		name := header.Name
		switch _, named := receipt.Artifacts[name]; {
		case header.Typeflag != tar.TypeReg:
			err = fmt.Errorf("%w: %s in the archive is no file", pipeline.ErrTampered, pipeline.Quote(name))
		case name == memberVariables && header.Size > maxVariables, name == memberSalt && header.Size > 1<<10:
			err = fmt.Errorf("%w: %s in the archive has %d bytes", pipeline.ErrTampered, name, header.Size)
		case name == memberVariables && variables == nil:
			if variables, err = io.ReadAll(r); err == nil && variables == nil {
				variables = []byte{}
			}
		case name == memberSalt && salt == nil:
			salt, err = io.ReadAll(r)
		case named && artifacts[name] == "" && pipeline.IsArtifactName(name):
			artifacts[name] = filepath.Join(dir, "restored-"+name)
			err = writeNew(artifacts[name], r)
		default:
			err = fmt.Errorf("%w: the archive holds %s, which the receipt does not name", pipeline.ErrTampered, pipeline.Quote(name))
		}
		if err != nil {
			return nil, "", nil, err
		}
	}
}

// writeNew writes a file that only we can read.
func writeNew(file string, body io.Reader) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}
