package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// DecodeExact decodes one JSON value of which something is signed or trusted. It fails
// where encoding/json would guess: where an object has a name twice, and where a name
// differs from that of a field in case only. Two readers of such a value could see two
// different things. On an ambiguous name, into is untouched.
func DecodeExact(raw []byte, into any) error {
	if json.Valid(raw) { // this also bounds the nesting
		if err := exactNames(raw, reflect.TypeOf(into)); err != nil {
			return err
		}
	}
	return json.Unmarshal(raw, into)
}

// ErrTrailingData is the error of DecodeKnown about anything behind the value.
var ErrTrailingData = errors.New("data after the JSON object")

// DecodeKnown is DecodeExact that takes known fields only.
func DecodeKnown(raw []byte, into any) error {
	if !json.Valid(raw) {
		if json.NewDecoder(bytes.NewReader(raw)).Decode(new(json.RawMessage)) == nil {
			return ErrTrailingData
		}
		return json.Unmarshal(raw, into) // it says what is wrong
	}
	if err := exactNames(raw, reflect.TypeOf(into)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// exactNames checks the names of all objects in a valid value that goes into a t.
func exactNames(raw []byte, t reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return exactValue(d, t)
}

// exactValue reads one value; t is nil where the value is not decoded into a struct.
func exactValue(d *json.Decoder, t reflect.Type) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	t = plainType(t)
	switch token {
	case json.Delim('['):
		for d.More() {
			if err := exactValue(d, elementOf(t, reflect.Slice, reflect.Array)); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := exactObject(d, t); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = d.Token()
	return err
}

func exactObject(d *json.Decoder, t reflect.Type) error {
	seen := make(map[string]bool)
	fields := make(map[string]reflect.Type)
	if t != nil && t.Kind() == reflect.Struct {
		fieldsOf(t, fields)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return fmt.Errorf("the name %s is there twice in one object", Quote(name))
		}
		seen[name] = true
		field, known := fields[name]
		for other := range fields {
			if !known && strings.EqualFold(name, other) {
				return fmt.Errorf("the name %s differs from %q in case only", Quote(name), other)
			}
		}
		if !known {
			field = elementOf(t, reflect.Map)
		}
		if err := exactValue(d, field); err != nil {
			return err
		}
	}
	return nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// plainType is t without pointers; nil for a type that decodes itself.
func plainType(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// elementOf is the type of the elements of a t of one of these kinds, else nil.
func elementOf(t reflect.Type, kinds ...reflect.Kind) reflect.Type {
	for _, kind := range kinds {
		if t != nil && t.Kind() == kind {
			return t.Elem()
		}
	}
	return nil
}

// fieldsOf notes the fields of a struct by the name that they have in JSON.
func fieldsOf(t reflect.Type, fields map[string]reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		inner := plainType(field.Type)
		switch {
		case tag == "-":
		case field.Anonymous && name == "" && inner != nil && inner.Kind() == reflect.Struct:
			fieldsOf(inner, fields)
		case !field.IsExported():
		case name == "":
			fields[field.Name] = field.Type
		default:
			fields[name] = field.Type
		}
	}
}
