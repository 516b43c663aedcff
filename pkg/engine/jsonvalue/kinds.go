package jsonvalue

// IsObject reports a decoded JSON object.
func IsObject(v any) bool { _, ok := v.(map[string]any); return ok }

// IsList reports a decoded JSON array.
func IsList(v any) bool { _, ok := v.([]any); return ok }

func IsEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
