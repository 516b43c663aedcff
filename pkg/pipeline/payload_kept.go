package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// payloadToken matches what three parts of an encoded token may be, also where it does
// not begin like a JSON web token: a payload holds nothing else of that form.
var payloadToken = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{8,}`)
})

// The bounds of what is kept of a refused payload. A true one has two levels, about twenty
// values and one long text, its token.
const (
	maxKeptDepth  = 6
	maxKeptValues = 200
	maxKeptText   = 500 // bytes of a text or a key
	maxKeptBytes  = 16 << 10
	cutMark       = "(cut)"
)

// KeptPayload is the payload of a refused request as it may be kept: without its
// proof, without anything that looks like a credential in another place, and cut to a
// bounded size and depth, with "(cut)" where something is missing. A payload may be
// refused for the case of a name, so proof counts in any case. What is no JSON object is
// not kept.
func KeptPayload(payload json.RawMessage) json.RawMessage {
	var properties map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&properties) != nil || properties == nil {
		return nil
	}
	maps.DeleteFunc(properties, func(name string, _ any) bool { return strings.EqualFold(name, "proof") })
	k := keeper{values: maxKeptValues, bytes: maxKeptBytes}
	b, err := json.Marshal(k.value(properties, 1))
	if err != nil {
		return nil
	}
	return b
}

// keeper copies a payload as far as there is room.
type keeper struct{ values, bytes int }

func (k *keeper) value(value any, depth int) any {
	switch v := value.(type) {
	case string:
		return k.text(v)
	case json.Number:
		if len(v) > maxKeptText || !k.take(len(v)) {
			return cutMark
		}
	case []any:
		if depth > maxKeptDepth {
			return cutMark
		}
		return k.list(v, depth)
	case map[string]any:
		if depth > maxKeptDepth {
			return cutMark
		}
		return k.object(v, depth)
	}
	return value
}

func (k *keeper) list(list []any, depth int) []any {
	kept := make([]any, 0, min(len(list), k.values))
	for _, element := range list {
		if !k.take(1) {
			return append(kept, cutMark)
		}
		kept = append(kept, k.value(element, depth+1))
	}
	return kept
}

// object keeps the members in the order of their names. Names that became equal get a
// number, so that no member hides another.
func (k *keeper) object(object map[string]any, depth int) map[string]any {
	kept := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !k.take(1) {
			kept[cutMark] = fmt.Sprintf("%d of %d members", len(object)-len(kept), len(object))
			break
		}
		clean, number := k.text(name), 1
		for unique := clean; ; unique = fmt.Sprintf("%s #%d", clean, number) {
			if _, taken := kept[unique]; !taken {
				kept[unique] = k.value(object[name], depth+1)
				break
			}
			number++
		}
	}
	return kept
}

func (k *keeper) text(s string) string {
	clean := WithoutCredentials(payloadToken().ReplaceAllString(s, removedMark))
	if len(clean) > maxKeptText {
		clean = cutBytes(clean, maxKeptText) + fmt.Sprintf("… %s, %d bytes", cutMark, len(s))
	}
	if !k.take(len(clean)) {
		return cutMark
	}
	return clean
}

// take uses up one value and room for n bytes; false when there is no room.
func (k *keeper) take(n int) bool {
	if k.values == 0 || k.bytes < n {
		return false
	}
	k.values, k.bytes = k.values-1, k.bytes-n
	return true
}
