package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ErrDamaged is the error of content that no tool has written as a state: text that is no
// JSON object, one that ends in the middle, or one without the head of a state. A state of
// a newer format, and an encrypted one, are not damaged.
var ErrDamaged = errors.New("this is not a state")

// damagedError is ErrDamaged with what is wrong.
type damagedError struct{ what string }

func (e *damagedError) Error() string        { return ErrDamaged.Error() + ": " + e.what }
func (e *damagedError) Is(target error) bool { return target == ErrDamaged }

// Reason is what is wrong with a state that is ErrDamaged, without a word of its content.
func Reason(err error) string {
	var damaged *damagedError
	if errors.As(err, &damaged) {
		return damaged.what
	}
	return ErrDamaged.Error()
}

// newestVersion is the newest format of states whose members are known here.
const newestVersion = 4

// ReadRecord streams a state and keeps its version and the number of its managed
// resources only. Content that is no state is ErrDamaged, and a reader that fails is not.
func ReadRecord(r io.Reader) (pipeline.StateRecord, error) {
	source := &source{Reader: r}
	h := head{Reader: jsonvalue.NewReader(source), modules: map[string]bool{}}
	err := h.Object(h.member)
	if err == nil {
		err = h.End()
	}
	if err == nil && h.version >= newestVersion {
		err = h.misfit
	}
	h.record.Resources = h.count()
	switch {
	case source.failed != nil:
		return h.record, source.failed
	case err != nil && h.version > newestVersion && !malformed(err):
		return h.record, err
	case err != nil:
		return h.record, &damagedError{reason(err)}
	case h.version == 0 && !h.encrypted:
		return h.record, &damagedError{"it has no version"}
	}
	return h.record, nil
}

// source keeps why its reader failed: what could not be read is not damaged.
type source struct {
	io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed = err
	}
	return n, err
}

// malformed reports whether err is about the JSON itself, whatever it means.
func malformed(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF)
}

// reason says what is wrong without a word of the content, which may hold secrets.
func reason(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is no JSON (byte %d)", syntax.Offset)
	}
	return "it has not the form of one"
}
