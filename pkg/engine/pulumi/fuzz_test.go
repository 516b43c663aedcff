package pulumi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FuzzSettings: every value that a customer can write is read back from the settings as it is.
func FuzzSettings(f *testing.F) {
	for _, text := range append(hostile, "\u0085next", "\x00", "\ud7ff\ue000", "<<") {
		f.Add(text, text)
	}
	c, err := newCrypter("x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		raw, err := json.Marshal(map[string]any{"list": []any{text, nil, true, map[string]any{"k" + key: text}}, "text": text})
		if err != nil {
			t.Skip()
		}
		value, err := jsonvalue.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		settings, err := configFile("web", map[string]input{"a": {value: value}, "b": {value: text, secret: true}}, c)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range settings {
			if b >= 0x7f || b < 0x20 && b != '\n' {
				t.Fatalf("byte %d is %#x", i, b)
			}
		}
		var read struct {
			Config map[string]any `yaml:"config"`
		}
		if err := yaml.Unmarshal(settings, &read); err != nil {
			t.Fatalf("%v\n%s", err, settings)
		}
		got, err := json.Marshal(read.Config["web:a"])
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(value)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s became %s (%v)", want, got, err)
		}
		sealed, _ := read.Config["web:b"].(map[string]any)
		hidden, _ := sealed["secure"].(string)
		if clear, err := c.decrypt(hidden); err != nil || clear != strings.ToValidUTF8(text, "\ufffd") && clear != text {
			t.Fatalf("%q was decrypted as %q: %v", text, clear, err)
		}
	})
}

// FuzzEvents: no line of the log of events, and no state or plan, makes the reader fail in
// another way than with an error, and no control sequence gets into the model.
func FuzzEvents(f *testing.F) {
	for _, line := range []string{
		`{"resourcePreEvent":{"metadata":{"op":"update","urn":"urn:pulumi:s::p::a:b:C::n","type":"a:b:C","old":{"inputs":{"x":"1"},"outputs":{}},"new":{"inputs":{"x":"\u001b[31m2","y":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"[secret]"}}},"diffs":["y"],"detailedDiff":{"z[0].a":{"diffKind":"update"}}}}}`,
		`{"resOutputsEvent":{"metadata":{"op":"refresh","urn":"u","type":"t","old":{"outputs":{"a":[1,{"b":null}]}},"new":null}}}`,
		`{"diagnosticEvent":{"message":"\u001b[1merror\u001b[0m: x","severity":"error"}}`, `{"resOpFailedEvent":{"metadata":{"urn":"u"}}}`, `{"summaryEvent":{"result":"failed"}}`,
		`{"policyEvent":{"message":"no","enforcementLevel":"mandatory"}}`, `{"errorEvent":{"error":"x"}}`, `[]`, `{"resourcePreEvent":{"metadata":{"op":"replace","keys":["a"],"urn":"::::"}}}`,
		`{"resourcePlans":{"u::pulumi:pulumi:Stack::n":{"state":{"o":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"v1:a:b"}},"steps":["same"]}}}`,
		`{"version":3,"checkpoint":{"stack":"organization/p/s","latest":{"manifest":{"time":"2026-01-01T00:00:00Z"},"resources":[{"urn":"u","type":"pulumi:pulumi:Stack","created":"x"}]}}}`,
	} {
		f.Add([]byte(line))
	}
	c, err := newCrypter("x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		w := New(Options{}).workspaceOf(pipeline.Job{Dir: t.TempDir(), ManagerDir: "/", MAC: terraformtest.NewMAC}, binary{version: "3.0.0"})
		w.crypt = c
		r := &run{w: w, preview: true, refreshed: map[string]step{}, open: map[string]int{}, failed: map[string]bool{}, refreshes: map[string]bool{}, learned: func() error { return nil }}
		for line := range bytes.Lines(content) {
			r.line(line)
		}
		r.done()
		r.usedPlugins()
		p, _ := w.readSaved(content)
		plan, err := r.plan(p)
		if err == nil {
			for _, change := range append(plan.Changes, plan.Drift...) {
				if strings.ContainsAny(change.Address+change.Type, "\x1b\x00\n") {
					t.Errorf("the model holds %q", change.Address)
				}
			}
		}
		_, _ = w.fingerprint(p, r) // an error is as good
		if state, err := readCheckpoint(content); err == nil {
			state.record()
			_, _ = state.salt()
		}
		_, _ = parseProject(content)
		parseLock("id", content)
	})
}
