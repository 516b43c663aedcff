package pipeline

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// CustomerName is the stable key of a customer: the base name of its file in
// customers/. It stands in store keys and state paths, so it is limited to
// lower-case letters, digits and inner hyphens, 1–63 characters.
type CustomerName string

// Environment is the name of a stage such as "staging": lower-case letters,
// digits and inner hyphens, 1–40 characters.
type Environment string

// SHA is a git object id: 40 lower-case hexadecimal digits.
type SHA string

// RequestID is a UUID in its canonical lower-case form.
type RequestID string

// Slug names a repository as owner/name, in the spelling GitHub gave.
type Slug struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// Repository is a repository with its immutable id; names can change hands.
type Repository struct {
	Slug
	ID            int64  `json:"id"`
	DefaultBranch string `json:"default_branch,omitempty"`
	Archived      bool   `json:"-"` // no one can push to it
}

// Mode says how far a request may go. A payload can only reduce it.
type Mode string

// The modes, from the widest to the narrowest.
const (
	ModeApply  Mode = "apply"
	ModePlan   Mode = "plan"
	ModeDryRun Mode = "dry-run"
	// ModeDestroy ends one target: it plans and applies the destroy of everything in
	// its state. Only an operator of the manager asks for it, never a payload.
	ModeDestroy Mode = "destroy"
)

// Names are checked by hand: a regular expression with a bound is unrolled at
// every start of the program, and costs more than the rest of it.

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	Digits = "0123456789"
)

// ConsistsOf reports whether s has 1 to most bytes, all of them of alphabet.
func ConsistsOf(s string, most int, alphabet string) bool {
	return s != "" && len(s) <= most && strings.Trim(s, alphabet) == ""
}

// isLabel accepts lower-case letters, digits and inner hyphens.
func isLabel(s string, most int) bool {
	return ConsistsOf(s, most, lower+Digits+"-") && s[0] != '-' && s[len(s)-1] != '-'
}

// IsUUID reports whether s is a UUID in lower case, as request ids are.
func IsUUID(s string) bool {
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		return false
	}
	for i, size := range []int{8, 4, 4, 4, 12} {
		if len(groups[i]) != size || !ConsistsOf(groups[i], size, Digits+"abcdef") {
			return false
		}
	}
	return true
}

// ParseCustomerName checks s against the form of a customer name.
func ParseCustomerName(s string) (CustomerName, error) {
	if !isLabel(s, 63) {
		return "", fmt.Errorf("customer name %s: use 1–63 lower-case letters, digits and inner hyphens", Quote(s))
	}
	return CustomerName(s), nil
}

// ParseEnvironment checks s against the form of an environment name.
func ParseEnvironment(s string) (Environment, error) {
	if !isLabel(s, 40) {
		return "", fmt.Errorf("environment %s: use 1–40 lower-case letters, digits and inner hyphens", Quote(s))
	}
	return Environment(s), nil
}

// ParseSHA checks that s is a full git object id.
func ParseSHA(s string) (SHA, error) {
	if len(s) != 40 || !ConsistsOf(s, 40, Digits+"abcdef") {
		return "", fmt.Errorf("commit %s: want 40 lower-case hexadecimal digits", Quote(s))
	}
	return SHA(s), nil
}

// Short is the abbreviated form people read: seven digits.
func (s SHA) Short() string {
	if len(s) < 7 {
		return string(s)
	}
	return string(s[:7])
}

// Zero reports whether s is empty or git's null id, which push events carry as
// "before" of a new branch.
func (s SHA) Zero() bool { return strings.Trim(string(s), "0") == "" }

// ParseRequestID checks that s is a canonical UUID.
func ParseRequestID(s string) (RequestID, error) {
	if !IsUUID(s) {
		return "", fmt.Errorf("request id %s: want a lower-case UUID", Quote(s))
	}
	return RequestID(s), nil
}

// Short is the first group of the id, which statuses and comments show.
func (r RequestID) Short() string {
	if len(r) < 8 {
		return string(r)
	}
	return string(r[:8])
}

// NewRequestID returns a random (version 4) id.
func NewRequestID() RequestID {
	var b [16]byte
	rand.Read(b[:])
	return uuid(b, 4)
}

// DeriveRequestID returns the name-based (version 5) id of parts, so that a
// re-run of the same customer job can find the request it sent before.
func DeriveRequestID(parts ...string) RequestID {
	sum := sha1.Sum([]byte("metapipe request\x00" + strings.Join(parts, "\x00")))
	var b [16]byte
	copy(b[:], sum[:])
	return uuid(b, 5)
}

func uuid(b [16]byte, version byte) RequestID {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return RequestID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// ParseSlug splits "owner/name" and checks both parts.
func ParseSlug(s string) (Slug, error) {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !ConsistsOf(owner, 100, lower+upper+Digits+"-_") || strings.Trim(owner[:1], "-_") == "" || !ConsistsOf(name, 100, lower+upper+Digits+"._-") || name == "." || name == ".." {
		return Slug{}, fmt.Errorf("repository %s: want owner/name", Quote(s))
	}
	return Slug{Owner: owner, Name: name}, nil
}

// ParseRemote reads owner/name from the end of https://host/owner/name.git and of
// git@host:owner/name.git; false where the URL of a remote has another form.
func ParseRemote(url string) (Slug, bool) {
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	parts := strings.FieldsFunc(url, func(r rune) bool { return r == '/' || r == ':' })
	if len(parts) < 3 {
		return Slug{}, false
	}
	slug, err := ParseSlug(parts[len(parts)-2] + "/" + parts[len(parts)-1])
	return slug, err == nil
}

func (s Slug) String() string { return s.Owner + "/" + s.Name }

// Equal compares as GitHub does: without regard to case.
func (s Slug) Equal(o Slug) bool {
	return strings.EqualFold(s.Owner, o.Owner) && strings.EqualFold(s.Name, o.Name)
}

// ParseMode checks that s is one of the modes; empty means ModeApply.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return ModeApply, nil
	case ModeApply, ModePlan, ModeDryRun:
		return m, nil
	}
	return "", fmt.Errorf("mode %s: want apply, plan or dry-run", Quote(s))
}

// ParseManualMode is ParseMode for an operator of the manager, who may also destroy.
func ParseManualMode(s string) (Mode, error) {
	if Mode(s) == ModeDestroy {
		return ModeDestroy, nil
	}
	m, err := ParseMode(s)
	if err != nil {
		return "", fmt.Errorf("mode %s: want apply, plan, dry-run or destroy", Quote(s))
	}
	return m, nil
}

// Changes reports whether a request in this mode may change infrastructure.
func (m Mode) Changes() bool { return m == ModeApply || m == ModeDestroy }

// Reduce returns the narrower of m and asked.
func (m Mode) Reduce(asked Mode) Mode {
	rank := map[Mode]int{ModeApply: 0, ModePlan: 1, ModeDryRun: 2}
	if rank[asked] > rank[m] {
		return asked
	}
	return m
}
