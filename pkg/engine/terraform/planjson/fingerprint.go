package planjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"sort"
	"strconv"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
)

// fingerprinter makes a keyed hash of what a plan would do. Two plans that would
// do the same have the same one, whatever the order, the spelling of numbers and
// the time. It covers values in clear, sensitive ones too: without the key it
// shows nothing.
type fingerprinter struct {
	mac     hash.Hash
	entries []fingerprintEntry
	buffer  []byte
}

type fingerprintEntry struct {
	key string
	sum [sha256.Size]byte
}

func newFingerprinter(mac hash.Hash) *fingerprinter { return &fingerprinter{mac: mac} }

// resource adds one change; no-op and read are the caller's to leave out.
func (f *fingerprinter) resource(c changeJSON) {
	b := f.buffer[:0]
	for _, text := range []string{c.Address, c.PreviousAddress, c.Deposed} {
		b = strconv.AppendQuote(b, text)
	}
	if c.Change.Importing != nil {
		b = strconv.AppendQuote(append(b, "import"...), c.Change.Importing.ID)
		if identity := c.Change.Importing.Identity; identity != nil {
			b = jsonvalue.Canonical(append(b, " identity "...), identity)
		}
		if c.Change.Importing.Unknown {
			b = append(b, " unknown"...)
		}
	}
	f.add("resource "+c.Address+" "+c.Deposed, f.body(b, c.Change))
}

// deferred adds a change that the tool put off.
func (f *fingerprinter) deferred(reason string, c changeJSON) {
	b := strconv.AppendQuote(append(f.buffer[:0], "deferred"...), reason)
	f.add("deferred "+c.Address+" "+c.Deposed, f.body(strconv.AppendQuote(b, c.Address), c.Change))
}

// invocation adds an action with all that the document says of it but for the
// marks, which tools spell out differently.
func (f *fingerprinter) invocation(reason string, document map[string]any) {
	rest := maps.Clone(document)
	delete(rest, "config_sensitive")
	delete(rest, "config_unknown")
	b := strconv.AppendQuote(append(f.buffer[:0], "invocation"...), reason)
	b = jsonvalue.Canonical(b, rest)
	b = jsonvalue.CanonicalMarks(append(b, " unknown "...), document["config_unknown"])
	address, _ := document["address"].(string)
	f.add("invocation "+address, b)
}

// member adds a top-level member that is not known.
func (f *fingerprinter) member(name string, value any) {
	b := strconv.AppendQuote(append(f.buffer[:0], "member"...), name)
	f.add("member "+name, jsonvalue.Canonical(b, value))
}

func (f *fingerprinter) output(name string, c changeBody) {
	f.add("output "+name, f.body(strconv.AppendQuote(f.buffer[:0], name), c))
}

func (f *fingerprinter) add(key string, b []byte) {
	f.entries = append(f.entries, fingerprintEntry{key, sha256.Sum256(b)})
	f.buffer = b // its room is used again
}

func (f *fingerprinter) body(b []byte, c changeBody) []byte {
	for _, action := range c.Actions {
		b = strconv.AppendQuote(b, action)
	}
	b = jsonvalue.Canonical(append(b, " before "...), c.Before)
	b = jsonvalue.Canonical(append(b, " after "...), c.After)
	b = jsonvalue.CanonicalMarks(append(b, " unknown "...), c.AfterUnknown)
	paths := make([]string, len(c.ReplacePaths))
	for i, path := range c.ReplacePaths {
		paths[i] = string(jsonvalue.Canonical(nil, path))
	}
	slices.Sort(paths)
	b = append(b, " replace "...)
	for _, path := range slices.Compact(paths) {
		b = append(b, path...)
	}
	return b
}

func (f *fingerprinter) sum() string {
	sort.Slice(f.entries, func(i, j int) bool {
		if f.entries[i].key != f.entries[j].key {
			return f.entries[i].key < f.entries[j].key
		}
		return bytes.Compare(f.entries[i].sum[:], f.entries[j].sum[:]) < 0
	})
	for _, entry := range f.entries {
		f.mac.Write(entry.sum[:])
	}
	return hex.EncodeToString(f.mac.Sum(nil))
}
