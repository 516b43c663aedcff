package pipeline

import "crypto/sha256"

// The form of a fingerprint, in hexadecimal digits: for each key that was at hand
// its id and then the tag under it. Older ones are one tag without an id.
const (
	fingerprintID  = 2 * 8
	fingerprintTag = 2 * sha256.Size
)

// SameFingerprint reports whether two fingerprints are of the same changes. Known
// is false when they share no key: then the answer is unknown.
func SameFingerprint(a, b string) (same, known bool) {
	tags := fingerprintTags(a)
	for id, tag := range fingerprintTags(b) {
		other, shared := tags[id]
		switch {
		case shared && tag != other:
			return false, true
		case shared:
			same, known = true, true
		}
	}
	if known {
		return same, true
	}
	// A tag without an id speaks for itself when it is found again.
	found := hasTag(fingerprintTags(b), tags[""]) || hasTag(tags, fingerprintTags(b)[""])
	return found, found
}

func hasTag(tags map[string]string, tag string) bool {
	for _, t := range tags {
		if tag != "" && t == tag {
			return true
		}
	}
	return false
}

// fingerprintTags returns the tags by the id of their key; none of what is no
// fingerprint.
func fingerprintTags(s string) map[string]string {
	if len(s) == fingerprintTag {
		return map[string]string{"": s}
	}
	const size = fingerprintID + fingerprintTag
	if len(s)%size != 0 {
		return nil
	}
	tags := make(map[string]string, len(s)/size)
	for ; len(s) > 0; s = s[size:] {
		tags[s[:fingerprintID]] = s[fingerprintID:size]
	}
	return tags
}

// CompareReviewed says how a plan stands to the one that was shown.
func CompareReviewed(shown, planned string) Reviewed {
	same, known := SameFingerprint(shown, planned)
	switch {
	case !known:
		return ReviewedOtherKey
	case same:
		return ReviewedSame
	}
	return ReviewedDifferent
}
