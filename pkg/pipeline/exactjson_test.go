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
	const twice, inCase = "is there twice in one object", "in case only"
	for ambiguous, want := range map[string]string{
		`{"Name":"a"}`: inCase, `{"name":"a","NAME":"b"}`: inCase, `{"name":"a","name":"a"}`: twice, `{"name":"a","n\u0061me":"b"}`: twice,
		`{"Owner":"a"}`: inCase, `{"owner":"a","owner":"b"}`: twice, `{"plain":1}`: inCase, `{"List":[]}`: inCase, "{\"li\u017ft\":[]}": inCase,
		`{"list":[{"owner":"a"},{"OWNER":"b"}]}`: inCase, `{"map":{"x":{"Owner":"a"}}}`: inCase, `{"map":{"x":{},"x":{}}}`: twice,
		`{"raw":{"x":[{"a":1,"a":2}]}}`: twice, `{"Plain":{"a":1,"a":2}}`: twice, `{"other":{"a":1,"a":2}}`: twice, `{"other":1,"other":2}`: twice,
	} {
		var got exactOuter
		if err := DecodeExact([]byte(ambiguous), &got); err == nil || !strings.Contains(err.Error(), want) || !reflect.DeepEqual(got, exactOuter{}) {
			t.Errorf("%s: %v, want %q; %+v", ambiguous, err, want, got)
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
