package runner

import (
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
// as the runner does.
func (m *Masks) Add(value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, v := range append(lines, value) {
		if strings.TrimSpace(v) != "" && !slices.Contains(m.values, v) {
			m.values = append(m.values, v)
		}
	}
	slices.SortStableFunc(m.values, func(a, b string) int { return len(b) - len(a) })
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
