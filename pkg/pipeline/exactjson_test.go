package pipeline

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type exactInner struct {
	Owner string `json:"owner"`
}

type exactOuter struct {
	exactInner
	Name  string                `json:"name"`
	List  []*exactInner         `json:"list"`
	Map   map[string]exactInner `json:"map"`
	Raw   json.RawMessage       `json:"raw"`
	Plain any
}

func TestDecodeExact(t *testing.T) {
	t.Parallel()
	for _, ambiguous := range []string{
		`{"Name":"a"}`, `{"name":"a","NAME":"b"}`, `{"name":"a","name":"a"}`, `{"name":"a","n\u0061me":"b"}`,
		`{"Owner":"a"}`, `{"owner":"a","owner":"b"}`, `{"plain":1}`, `{"List":[]}`, "{\"li\u017ft\":[]}",
		`{"list":[{"owner":"a"},{"OWNER":"b"}]}`, `{"map":{"x":{"Owner":"a"}}}`, `{"map":{"x":{},"x":{}}}`,
		`{"raw":{"x":[{"a":1,"a":2}]}}`, `{"Plain":{"a":1,"a":2}}`, `{"other":{"a":1,"a":2}}`, `{"other":1,"other":2}`,
	} {
		var got exactOuter
		if err := DecodeExact([]byte(ambiguous), &got); err == nil || !reflect.DeepEqual(got, exactOuter{}) {
			t.Errorf("%s: %v, %+v", ambiguous, err, got)
		}
	}
	const clear = `{"owner":"a","name":"b","list":[{"owner":"c"},null],"map":{"k":{"owner":"d"},"K":{}},"raw":{"a":1,"A":2},"Plain":{"name":1,"Name":2},"other":[{}]}`
	var got, want exactOuter
	if err := DecodeExact([]byte(clear), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(clear), &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v (%v)", got, want, err)
	}
	for _, broken := range []string{"", "{", "{} {}", strings.Repeat("[", 1<<20), strings.Repeat(`{"raw":`, 1<<16)} {
		if DecodeExact([]byte(broken), &got) == nil {
			t.Errorf("%.20q passes", broken)
		}
	}
}

// No form that is signed or trusted has two readings.
func TestTrustedFormsAreExact(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func([]byte) error{
		"payload": func(b []byte) error { _, err := ParsePayload(b); return err },
		"ledger":  func(b []byte) error { _, err := parseLedgerEntry(b); return err },
		"receipt": func(b []byte) error { _, err := ParseReceipt(b); return err },
	} {
		for _, raw := range []string{`{"Version":1}`, `{"version":1,"version":1}`, `{"Request":{"version":1}}`, `{"request":{"Version":1}}`, `{"request":{"id":"a","id":"b"}}`} {
			err := read([]byte(raw))
			if err == nil || name == "payload" == strings.Contains(raw, "equest") && !strings.Contains(err.Error(), "case only") && !strings.Contains(err.Error(), "twice") {
				t.Errorf("%s of %s: %v", name, raw, err)
			}
		}
	}
}

func FuzzDecodeExact(f *testing.F) {
	for _, seed := range []string{`{"name":"a"}`, `{"Name":1,"name":2}`, `[{"a":[{}]}]`, `{"list":[{"owner":"x"}],"map":{"a":{}}}`, "null", "{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got, want exactOuter
		if DecodeExact(raw, &got) != nil {
			return
		}
		if err := json.Unmarshal(raw, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %+v, want %+v (%v)", raw, got, want, err)
		}
	})
}
