package pipeline

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Artifacts are the files of a plan that its apply needs: name → absolute path. Only the
// engine knows what they hold. They may hold state and secrets in clear, so each is
// sealed on its own.
type Artifacts map[string]string

// IsArtifactName reports whether an engine may call an artifact so: small letters, digits
// and hyphens, with a letter first, at most 40 characters.
func IsArtifactName(name string) bool { return isName(name, '-') }

// Names are the names in their order.
func (a Artifacts) Names() []string { return slices.Sorted(maps.Keys(a)) }

// Digests are the salted sums of the files, by name. A name that is not valid is an error.
func (a Artifacts) Digests(salt Salt) (map[string]string, error) {
	digests := make(map[string]string, len(a))
	for _, name := range a.Names() {
		if !IsArtifactName(name) {
			return nil, fmt.Errorf("the engine calls an artifact %s, which is no name", Quote(name))
		}
		sum, err := salt.file(a[name])
		if err != nil {
			return nil, fmt.Errorf("read artifact %s of the plan: %w", name, err)
		}
		digests[name] = sum
	}
	return digests, nil
}

// file is Sum of the content of a file.
func (s Salt) file(file string) (string, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	h := s.hash()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// StoredPlan is what Engine.Apply gets of a plan, already opened and authenticated.
type StoredPlan struct {
	Artifacts Artifacts
	Salt      Salt
	Receipt   Receipt
}

// Verify refuses artifacts that are not those of the receipt: each of them, and no other.
func (p StoredPlan) Verify() error {
	for _, name := range p.Artifacts.Names() {
		if _, ok := p.Receipt.Artifacts[name]; !ok {
			return tamperedPlan("the plan has an artifact that its receipt does not name: " + Quote(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Receipt.Artifacts)) {
		file, ok := p.Artifacts[name]
		if !ok {
			return tamperedPlan("the plan lacks its artifact " + Quote(name))
		}
		sum, err := p.Salt.file(file)
		if err != nil {
			return fmt.Errorf("read artifact %s of the plan: %w", name, err)
		}
		if sum != p.Receipt.Artifacts[name] {
			return tamperedPlan("the artifact " + Quote(name) + " is not the one that the plan was made with")
		}
	}
	return nil
}
