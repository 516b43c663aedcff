package store

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a key. A segment is a file name (255 bytes on the common file
// systems), a whole key is what S3 takes.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const (
	maxSegment = 255
	maxKey     = 1024
)

// reservedPrefix begins the names of files that are not objects (yet). No
// segment of a key may begin with it.
const reservedPrefix = ".metapipe-tmp-"

// errKey is wrapped by every error about the form of a key.
var errKey = errors.New("not a valid key")

// CheckKey reports whether key may name an object: non-empty segments between
// single slashes, none of them "." or "..", at most 255 bytes each and 1,024 in
// all; UTF-8 without control characters, backslashes and colons, and no segment
// that ends in a dot or a space, which some file systems drop.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty", errKey)
	}
	if len(key) > maxKey {
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", errKey, len(key), maxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if err := checkSegment(segment); err != nil {
			return err
		}
	}
	return nil
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it has an empty segment", errKey)
	case s == "." || s == "..":
		return fmt.Errorf("%w: a segment is %q", errKey, s)
	case len(s) > maxSegment:
		return fmt.Errorf("%w: a segment has %d bytes, the limit is %d", errKey, len(s), maxSegment)
	case strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "):
		return fmt.Errorf("%w: the segment %q ends in a dot or a space", errKey, s)
	case strings.HasPrefix(strings.ToLower(s), reservedPrefix):
		return fmt.Errorf("%w: names that begin with %q are reserved", errKey, reservedPrefix)
	}
	return checkCharacters(s)
}

func checkCharacters(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: it is not UTF-8", errKey)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\\' || r == ':' {
			return fmt.Errorf("%w: it contains the character %U", errKey, r)
		}
	}
	return nil
}

// checkWritable refuses keys that may be read but never written or deleted
// through a store: the state and lock files of the tool.
func checkWritable(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if toolFile(key) {
		return fmt.Errorf("%w: state and lock files belong to the tool alone", errKey)
	}
	return nil
}

// toolFile reports whether a key has the name of a state or lock file of the tool.
func toolFile(key string) bool {
	name := strings.ToLower(path.Base(key))
	return strings.Contains(name, ".tfstate") || strings.HasSuffix(name, ".tflock")
}

// checkPrefix checks what List is asked for and returns the folder to look in,
// "." for the top. The last segment of a prefix may be the beginning of a name.
func checkPrefix(prefix string) (folder string, err error) {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return ".", checkPartial(prefix)
	}
	if err := CheckKey(prefix[:i]); err != nil {
		return "", err
	}
	return prefix[:i], checkPartial(prefix[i+1:])
}

func checkPartial(s string) error {
	if len(s) > maxSegment {
		return fmt.Errorf("%w: a segment has %d bytes, the limit is %d", errKey, len(s), maxSegment)
	}
	return checkCharacters(s)
}

// checkState refuses every key but that of a state.
func checkState(key string) error {
	if path.Base(key) != "terraform.tfstate" {
		return fmt.Errorf("%w: it is not that of a state", errKey)
	}
	return CheckKey(key)
}
