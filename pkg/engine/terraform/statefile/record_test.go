package statefile_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const whole = `{"version":4,"terraform_version":"1.12.0","serial":7,"lineage":"8d0e","outputs":{"o":{"value":"hunter2"}},"resources":[{"mode":"managed","instances":[{}]},{"mode":"data"}]}`

// TestDamaged tells content that no tool has written as a state from states that are only
// unusual.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		damaged bool
	}{
		"whole":                  {whole, false},
		"white space behind it":  {whole + "\n \t\n", false},
		"empty":                  {"", false},
		"encrypted":              {`{"serial":7,"lineage":"8d0e","meta":{"key_provider.pbkdf2.k":"e30="},"encrypted_data":"AAAA","encryption_version":"v0"}`, false},
		"a newer format":         {`{"version":9,"serial":7,"lineage":"8d0e","resources":{"other":"form"}}`, false},
		"an older format":        {`{"version":3,"serial":7,"lineage":"8d0e","modules":[]}`, false},
		"without lineage":        {`{"version":4}`, false},
		"cut in half":            {whole[:len(whole)/2], true},
		"cut in a newer format":  {`{"version":9,"serial":7`, true},
		"null":                   {"null", true},
		"list":                   {"[]", true},
		"text":                   {`"a state"`, true},
		"number":                 {"4", true},
		"blank":                  {" ", true},
		"line break":             {"\n", true},
		"page":                   {"<!DOCTYPE html><title>502</title>", true},
		"zeros":                  {strings.Repeat("\x00", 64), true},
		"byte order mark":        {"\ufeff" + whole, true},
		"twice":                  {whole + whole, true},
		"no members":             {"{}", true},
		"no version":             {`{"serial":7,"lineage":"8d0e"}`, true},
		"version zero":           {`{"version":0,"serial":7,"lineage":"8d0e"}`, true},
		"version in words":       {`{"version":"four","serial":7}`, true},
		"negative serial":        {`{"version":4,"serial":-7,"lineage":"8d0e"}`, true},
		"lineage as a list":      {`{"version":4,"serial":7,"lineage":["8d0e"]}`, true},
		"resources as an object": {`{"version":4,"serial":7,"lineage":"8d0e","resources":{}}`, true},
		"instances as a number":  {`{"version":4,"serial":7,"lineage":"8d0e","resources":[{"mode":"managed","instances":7}]}`, true},
		"an output as a text":    {`{"outputs":{"o":"hunter2"},"version":4,"serial":7,"lineage":"8d0e","resources":[]}`, true},
		"version in capitals":    {`{"VERSION":0,"serial":7,"lineage":"8d0e"}`, true},
		"serial in capitals":     {`{"version":4,"Serial":-7,"lineage":"8d0e"}`, true},
		"a fraction":             {`{"version":4,"serial":7.5,"lineage":"8d0e"}`, true},
		"format 4 in format 9":   {`{"version":9,"serial":7,"lineage":"8d0e","outputs":{"o":"text"}}`, false},
	} {
		_, err := statefile.Read(strings.NewReader(c.content))
		if errors.Is(err, statefile.ErrDamaged) != c.damaged {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes the state: %v", name, err)
		}
	}
	if state, err := statefile.Read(strings.NewReader(whole)); err != nil || state != (pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "8d0e", Serial: 7}, Resources: 1}) {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestCounting reads states as the tools do: members in any letter case, the last of two,
// null as absent, and the older formats.
func TestCounting(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]pipeline.StateRecord{
		`{"Version":4,"SERIAL":7,"Lineage":"8d0e","Resources":[{"Mode":"managed","instances":[{}]},{"mode":"data"}]}`:                                                                                                                       counted(7, 1),
		`{"ver\u017fion":4,"serial":7,"lineage":"8d0e","re\u017fources":[{"mode":"managed","instances":[{}]}]}`:                                                                                                                             counted(7, 1),
		`{"version":4,"serial":3,"serial":7,"lineage":"8d0e","resources":[{"mode":"managed","instances":[{}]}],"Resources":[]}`:                                                                                                             counted(7, 0),
		`{"version":4,"serial":7,"lineage":"8d0e","resources":null}`:                                                                                                                                                                        counted(7, 0),
		`{"version":4,"serial":7,"lineage":"8d0e","resources":[{"mode":"managed","instances":[]},{"mode":"managed"},{"mode":"managed","instances":null}]}`:                                                                                  counted(7, 0),
		`{"version":4,"serial":7,"lineage":"8d0e","resources":[{"mode":"managed","instances":[]},{"mode":"managed","Instances":[{}]}]}`:                                                                                                     counted(7, 1),
		`{"version":4,"serial":7,"lineage":"8d0e"}`:                                                                                                                                                                                         counted(7, 0),
		`{"version":3,"serial":7,"lineage":"8d0e","modules":[{"path":["root"],"resources":{"a.b.0":{},"a.b.1":{},"a.c":{},"data.a.b":{}}},{"path":["root","m"],"resources":{"a.b":{}}}],"resources":[{"mode":"managed","instances":[{}]}]}`: counted(7, 3),
		`{"version":3,"serial":7,"lineage":"8d0e","modules":[{"path":["root"],"resources":{}}]}`:                                                                                                                                            counted(7, 0),
		`{"version":9,"serial":7,"lineage":"8d0e"}`:                                                                                                                                                                                         counted(7, pipeline.UnknownResources),
		`{"serial":7,"lineage":"8d0e","encrypted_data":"AAAA"}`:                                                                                                                                                                             counted(7, pipeline.UnknownResources),
	} {
		if state, err := statefile.Read(strings.NewReader(content)); err != nil || state != want {
			t.Errorf("%s: %+v, %v", content, state, err)
		}
	}
}

func counted(serial uint64, resources int) pipeline.StateRecord {
	return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "8d0e", Serial: serial}, Resources: resources}
}

// TestUnreadIsNotDamaged: a connection that breaks says nothing about the state.
func TestUnreadIsNotDamaged(t *testing.T) {
	t.Parallel()
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
		for _, length := range []int{0, 1, len(whole) / 2, len(whole)} {
			_, err := statefile.ReadRecord(io.MultiReader(strings.NewReader(whole[:length]), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) || errors.Is(err, statefile.ErrDamaged) {
				t.Errorf("%v after %d bytes: %v", broken, length, err)
			}
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add(whole)
	f.Add(whole[:40])
	f.Add(`{"version":9,"resources":[[`)
	f.Fuzz(func(t *testing.T, content string) {
		state, err := statefile.Read(strings.NewReader(content))
		if err != nil && len(statefile.Reason(err)) > 60 {
			t.Errorf("the reason may quote the state: %s", statefile.Reason(err))
		}
		if err == nil && content != "" && !strings.Contains(content, "{") {
			t.Errorf("%q is taken for %+v", content, state)
		}
	})
}
