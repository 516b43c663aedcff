package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Reader walks a JSON document member by member, so that no more of it is
// in memory than the member at hand.
type Reader struct {
	decoder *json.Decoder
	depth   int
}

// maxDepth bounds the nesting of what is walked by token. encoding/json has a
// bound of its own for what is decoded at once.
const maxDepth = 1000

func NewReader(r io.Reader) Reader {
	d := json.NewDecoder(r)
	d.UseNumber()
	return Reader{decoder: d}
}

func (r *Reader) Decode(v any) error {
	return noEOF(r.decoder.Decode(v))
}

// ignored takes any JSON value and keeps nothing.
type ignored struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

func (r *Reader) Skip() error { return r.Decode(&ignored{}) }

// Only calls read for the wanted member and skips the others.
func (r *Reader) Only(key, wanted string, read func() error) error {
	if key == wanted {
		return read()
	}
	return r.Skip()
}

// Object calls each for every member; each must take the value. null is an
// object without members.
func (r *Reader) Object(each func(key string) error) error {
	open, err := r.open('{')
	if err != nil || !open {
		return err
	}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return noEOF(err)
		}
		key, ok := token.(string)
		if !ok {
			return fmt.Errorf("a member has no name at byte %d", r.decoder.InputOffset())
		}
		if err := each(key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return r.close()
}

// Array calls each for every element; each must take the value.
func (r *Reader) Array(each func() error) error {
	open, err := r.open('[')
	if err != nil || !open {
		return err
	}
	for i := 0; r.decoder.More(); i++ {
		if err := each(); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return r.close()
}

// End fails where anything but white space follows what was read.
func (r *Reader) End() error {
	switch _, err := r.decoder.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("more follows at byte %d", r.decoder.InputOffset())
}

func (r *Reader) open(want json.Delim) (bool, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return false, noEOF(err)
	}
	if token == nil {
		return false, nil
	}
	if token != want {
		return false, fmt.Errorf("want %q at byte %d", rune(want), r.decoder.InputOffset())
	}
	if r.depth++; r.depth > maxDepth {
		return false, errors.New("it is nested too deeply")
	}
	return true, nil
}

func (r *Reader) close() error {
	r.depth--
	_, err := r.decoder.Token()
	return noEOF(err)
}

// noEOF makes an end in the middle of a document an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Decode decodes a value and keeps numbers as they are written.
func Decode(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// Reread decodes a document into a struct, keeping numbers as they are written.
func Reread(document, into any) error {
	raw, err := json.Marshal(document)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}
