package runner

import (
	"encoding/base64"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Masks hides secrets in everything that is shown of a job. A nested set hides
// what its parent hides as well.
type Masks struct {
	parent *Masks
	mu     sync.Mutex
	values []string // longest first, so that a part never uncovers the rest
}

// NewMasks hides what its parent hides, and more that is added.
func NewMasks(parent *Masks) *Masks { return &Masks{parent: parent} }

// Add hides value from now on; of a text with several lines it hides each one,
// as the runner does, and the encodings of each.
func (m *Masks) Add(value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range append(lines, value) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		for _, v := range append(encodings(line), line) {
			if !slices.Contains(m.values, v) {
				m.values = append(m.values, v)
			}
		}
	}
	slices.SortStableFunc(m.values, func(a, b string) int { return len(b) - len(a) })
}

// leastEncoded is the length of the shortest secret whose encodings are hidden: those of shorter ones would be found
// in texts that have nothing to do with it.
const leastEncoded = 6

// encodings are the forms of a secret that GitHub's runner hides as well: base64 at each place where the secret can
// begin in a longer text, and the escapes of addresses, JSON and XML. Source:
// https://github.com/actions/runner/blob/main/src/Runner.Common/HostContext.cs
func encodings(secret string) (all []string) {
	if len(secret) < leastEncoded {
		return nil
	}
	for begin := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret[begin:]))
		all = append(all, strings.TrimRight(encoded, "="))
	}
	return append(all, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret), url.PathEscape(secret), html.EscapeString(secret))
}

// Hide replaces every secret by three stars.
func (m *Masks) Hide(text string) string {
	if m == nil {
		return text
	}
	m.mu.Lock()
	values := slices.Clone(m.values)
	m.mu.Unlock()
	for _, v := range values {
		text = strings.ReplaceAll(text, v, "***")
	}
	return m.parent.Hide(text)
}

// WithoutSecrets drops the outputs that hold a masked text, as GitHub does with
// the outputs of a job, and returns the names of those.
func (m *Masks) WithoutSecrets(outputs map[string]string) (kept map[string]string, dropped []string) {
	kept = map[string]string{}
	for name, value := range outputs {
		if m.Hide(value) != value {
			dropped = append(dropped, name)
			continue
		}
		kept[name] = value
	}
	slices.Sort(dropped)
	return kept, dropped
}
