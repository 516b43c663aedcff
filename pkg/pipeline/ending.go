package pipeline

import (
	"fmt"
	"strconv"
)

// LeftNothing reports whether a destroy that went well has left no resource.
func (s *StateRecord) LeftNothing() bool {
	return s != nil && (s.Resources == 0 || s.Resources == UnknownResources)
}

// maxTyped is the number of bytes of a typed text that an error shows.
const maxTyped = 200

// QuoteTyped quotes what a person typed so that each byte of it shows: a line end,
// an invisible character or a letter of another alphabet is why it differs from the
// name. A long text is cut, and its length follows.
func QuoteTyped(typed string) string {
	if len(typed) <= maxTyped {
		return strconv.QuoteToASCII(typed)
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.QuoteToASCII(typed[:maxTyped]), len(typed))
}
