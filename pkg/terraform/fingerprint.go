package terraform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"maps"
	"slices"
	"sort"
	"strconv"
)

// fingerprinter makes a keyed hash of what a plan would do. Two plans that would
// do the same have the same one, whatever the order, the spelling of numbers and
// the time. It covers values in clear, sensitive ones too: without the key it
// tells nothing.
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
			b = Canonical(append(b, " identity "...), identity)
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
	b = Canonical(b, rest)
	b = CanonicalMarks(append(b, " unknown "...), document["config_unknown"])
	address, _ := document["address"].(string)
	f.add("invocation "+address, b)
}

// member adds a top-level member that is not known.
func (f *fingerprinter) member(name string, value any) {
	b := strconv.AppendQuote(append(f.buffer[:0], "member"...), name)
	f.add("member "+name, Canonical(b, value))
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
	b = Canonical(append(b, " before "...), c.Before)
	b = Canonical(append(b, " after "...), c.After)
	b = CanonicalMarks(append(b, " unknown "...), c.AfterUnknown)
	paths := make([]string, len(c.ReplacePaths))
	for i, path := range c.ReplacePaths {
		paths[i] = string(Canonical(nil, path))
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

// Canonical writes equal values alike.
func Canonical(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return strconv.AppendQuote(b, v)
	case json.Number:
		return append(b, canonicalNumber(v)...)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(Canonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = append(strconv.AppendQuote(b, key), ':')
			b = append(Canonical(b, v[key]), ',')
		}
		return append(b, '}')
	}
	return appendJSON(b, value, nil)
}

// CanonicalMarks writes the positions of `true` only: tools differ in how much
// of the rest they spell out.
func CanonicalMarks(b []byte, mark any) []byte {
	switch m := mark.(type) {
	case bool:
		if m {
			b = append(b, '!')
		}
	case []any:
		for i, e := range m {
			b = canonicalBranch(b, strconv.Itoa(i), e)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			b = canonicalBranch(b, strconv.Quote(key), m[key])
		}
	}
	return b
}

func canonicalBranch(b []byte, name string, mark any) []byte {
	start := len(b)
	b = append(append(b, '('), name...)
	inside := len(b)
	b = CanonicalMarks(b, mark)
	if len(b) == inside {
		return b[:start]
	}
	return append(b, ')')
}
