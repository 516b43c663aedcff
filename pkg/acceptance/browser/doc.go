// Package browser tests the pages that people read, in a real browser: their layout on a phone and on a desk,
// in light and in dark, and what they offer to somebody who does not see them.
package browser
