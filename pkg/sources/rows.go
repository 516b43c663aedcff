package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// decode reads a JSON value. An object with one name twice is an error: two readers could see two things.
func decode(raw []byte) (any, error) {
	var checked json.RawMessage
	if err := pipeline.DecodeExact(raw, &checked); err != nil {
		return nil, fmt.Errorf("it is not JSON that can be relied on: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	return v, d.Decode(&v)
}

// at follows a path with dots. A name that holds dots itself is found, too.
func at(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	object, is := v.(map[string]any)
	if !is {
		return nil, false
	}
	if value, there := object[path]; there {
		return value, true
	}
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil, false
	}
	value, there := object[first]
	if !there {
		return nil, false
	}
	return at(value, rest)
}

// textOf is a value as text; a list of texts is JSON, and an empty one no value.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return fmt.Sprint(v), nil
	case []any:
		list := []string{}
		for _, item := range v {
			s, is := item.(string)
			if !is {
				return "", errors.New("it is a list with other things than texts")
			}
			list = append(list, s)
		}
		if len(list) == 0 {
			return "", nil
		}
		raw, err := json.Marshal(list)
		return string(raw), err
	}
	return "", errors.New("it is an object: name a field in it, with a dot")
}

// parseJSON reads the rows of a document. page says where it came from, for messages.
func parseJSON(c sourcesync.SourceConfig, raw []byte, page string) ([]sourcesync.Record, error) {
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return rowsOf(c, v, page)
}

func rowsOf(c sourcesync.SourceConfig, document any, page string) ([]sourcesync.Record, error) {
	value, _ := at(document, c.Rows)
	list, is := value.([]any)
	if !is {
		where := "at its top"
		if c.Rows != "" {
			where = "in " + c.Rows
		}
		return nil, fmt.Errorf("there is no list %s", where)
	}
	if len(list) > sourcesync.MaxRows {
		return nil, errTooMany
	}
	all := make([]sourcesync.Record, 0, len(list))
	for i, row := range list {
		one := sourcesync.Record{Where: fmt.Sprintf("%srow %d", page, i+1), Fields: map[string]sourcesync.Value{}}
		if _, is := row.(map[string]any); !is {
			return nil, fmt.Errorf("%s is no object", one.Where)
		}
		for n, name := range fieldNames(c) {
			v, there := at(row, name)
			if !there {
				continue
			}
			text, err := textOf(v)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", one.Where, name, err)
			}
			if one.Fields[name] = (sourcesync.Value{Text: text}); n == 0 {
				one.Key = text
			}
		}
		all = append(all, one)
	}
	return all, nil
}
