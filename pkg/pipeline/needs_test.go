package pipeline_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"reflect"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestNeededTargets(t *testing.T) {
	t.Parallel()
	m := pipeline.Manager{Environments: []pipeline.EnvironmentRule{{Name: "dev"}}, Stacks: []pipeline.StackRule{{Name: "net"}, {Name: "dns"}, {Name: "hosts", Needs: []pipeline.StackName{"net", "dns"}}}}
	all, some := pipeline.Customer{Name: "shop", Manager: m}, pipeline.Customer{Name: "shop", Manager: m, Stacks: []pipeline.StackName{"net"}}
	of := func(stack pipeline.StackName) pipeline.Target {
		return pipeline.Target{Customer: "shop", Environment: "dev", Stack: stack}
	}
	for name, c := range map[string]struct{ got, want []pipeline.Target }{
		"hosts needs":          {all.Needed(of("hosts")), []pipeline.Target{of("net"), of("dns")}},
		"net needs":            {all.Needed(of("net")), nil},
		"net is needed by":     {all.NeededBy(of("net")), []pipeline.Target{of("hosts")}},
		"hosts is needed by":   {all.NeededBy(of("hosts")), nil},
		"without the stack":    {some.NeededBy(of("net")), nil},
		"unnamed stack":        {all.NeededBy(of("")), nil},
		"unnamed stack, needs": {all.Needed(of("")), nil},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestOutputsAreEncodedInOneWay(t *testing.T) {
	t.Parallel()
	one, err := pipeline.EncodeOutputs([]pipeline.OutputValue{{Name: "b", Value: json.RawMessage(` {"y": 1.50, "x": "<"} `)}, {Name: "a", Sensitive: true}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := pipeline.EncodeOutputs([]pipeline.OutputValue{{Name: "a", Sensitive: true}, {Name: "b", Value: json.RawMessage(`{"x":"\u003c","y":1.50}`)}})
	if err != nil || string(one) != string(other) {
		t.Errorf("%s and %s (%v)", one, other, err)
	}
	read, err := pipeline.ParseOutputs(one)
	if err != nil || len(read) != 2 || read[0].Known() || !read[0].Sensitive || string(read[1].Value) != `{"x":"\u003c","y":1.50}` {
		t.Errorf("%+v (%v)", read, err)
	}
	null, err := pipeline.EncodeOutputs([]pipeline.OutputValue{{Name: "n", Value: json.RawMessage("null")}})
	if err != nil {
		t.Fatal(err)
	}
	if read, err = pipeline.ParseOutputs(null); err != nil || !read[0].Known() {
		t.Errorf("null is a value: %+v (%v)", read, err)
	}
}

func TestHostileOutputs(t *testing.T) {
	t.Parallel()
	many := make([]pipeline.OutputValue, 501)
	for i := range many {
		many[i] = pipeline.OutputValue{Name: fmt.Sprintf("o%d", i), Value: json.RawMessage("1")}
	}
	for name, outputs := range map[string][]pipeline.OutputValue{
		"too many":            many,
		"too large":           {{Name: "a", Value: json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)}},
		"twice":               {{Name: "a", Value: json.RawMessage("1")}, {Name: "a", Value: json.RawMessage("2")}},
		"no name":             {{Value: json.RawMessage("1")}},
		"a digit first":       {{Name: "1a"}},
		"a hyphen first":      {{Name: "-a"}},
		"a path":              {{Name: "a/b"}},
		"an expression":       {{Name: "a}${b"}},
		"a line":              {{Name: "a\nb"}},
		"a long name":         {{Name: strings.Repeat("a", 201)}},
		"no JSON":             {{Name: "a", Value: json.RawMessage(`{`)}},
		"two values":          {{Name: "a", Value: json.RawMessage(`1 2`)}},
		"an empty value":      {{Name: "a", Value: json.RawMessage{}}},
		"an invisible letter": {{Name: "a\u200bb"}},
	} {
		if err := pipeline.CheckOutputs(outputs); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, name := range []string{"a", "_a", "a-b", "vpc_id2", "größe"} {
		if err := pipeline.CheckOutputs([]pipeline.OutputValue{{Name: name}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "null x", `{}`, `[{"name":"b"},{"name":"a"}]`, `[{"name":"a","name":"b"}]`, `[{"Name":"a"}]`, `[{"name":"a","more":1}]`, `[{"name":"a"}] `[:15] + "x"} {
		if outputs, err := pipeline.ParseOutputs([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, outputs)
		}
	}
	if _, err := pipeline.ParseOutputs(make([]byte, 3<<20)); err == nil {
		t.Error("more bytes than any stack has are read")
	}
}

func TestSumNeeded(t *testing.T) {
	t.Parallel()
	mac := func() hash.Hash { return hmac.New(sha256.New, []byte("key")) }
	sum := func(needed ...pipeline.NeededOutputs) string {
		t.Helper()
		s, err := pipeline.SumNeeded(mac, needed)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	of := func(stack pipeline.StackName, name, value string, sensitive bool) pipeline.NeededOutputs {
		return pipeline.NeededOutputs{Stack: stack, Values: []pipeline.OutputValue{{Name: name, Value: json.RawMessage(value), Sensitive: sensitive}}}
	}
	if sum() != "" {
		t.Error("nothing is needed, and it has a sum")
	}
	seen := map[string]string{}
	for name, needed := range map[string][]pipeline.NeededOutputs{
		"one": {of("net", "a", "1", false)}, "another stack": {of("dns", "a", "1", false)}, "another name": {of("net", "b", "1", false)},
		"another value": {of("net", "a", "2", false)}, "another type": {of("net", "a", `"1"`, false)}, "sensitive": {of("net", "a", "1", true)},
		"two": {of("net", "a", "1", false), of("dns", "a", "1", false)}, "none": {{Stack: "net"}},
	} {
		s := sum(needed...)
		if other, taken := seen[s]; taken {
			t.Errorf("%s and %s have one sum", name, other)
		}
		if seen[s] = name; s != sum(needed...) {
			t.Errorf("%s has two sums", name)
		}
	}
	if _, err := pipeline.SumNeeded(mac, []pipeline.NeededOutputs{{Stack: "net", Values: []pipeline.OutputValue{{Name: "/"}}}}); err == nil {
		t.Error("hostile outputs have a sum")
	}
}

// FuzzOutputs: what is read is within its bounds, and has one spelling.
func FuzzOutputs(f *testing.F) {
	for _, seed := range []string{`[]`, `[{"name":"a","value":1}]`, `[{"name":"a","value":null,"sensitive":true},{"name":"b"}]`, `[{"name":"a","value":{"a":[{}]}}]`, `[{"name":"a","value":"\u003c"}]`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		outputs, err := pipeline.ParseOutputs(b)
		if err != nil {
			return
		}
		if err := pipeline.CheckOutputs(outputs); err != nil {
			t.Fatal(err)
		}
		once, err := pipeline.EncodeOutputs(outputs)
		if err != nil {
			t.Fatalf("%q is read and not written: %v", b, err)
		}
		again, err := pipeline.ParseOutputs(once)
		if err != nil {
			t.Fatalf("%q is written and not read: %v", once, err)
		}
		twice, err := pipeline.EncodeOutputs(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%q and %q (%v)", once, twice, err)
		}
	})
}

func TestDeferredIsNeitherAFailureNorAPlan(t *testing.T) {
	t.Parallel()
	o := pipeline.OutcomeDeferred
	if !o.Final() || o.Succeeded() || o.Stops() || o.Status() != pipeline.StatusSuccess {
		t.Errorf("final %v, succeeded %v, stops %v, status %s", o.Final(), o.Succeeded(), o.Stops(), o.Status())
	}
	for _, other := range []pipeline.Outcome{pipeline.OutcomeFailed, pipeline.OutcomeSkipped, pipeline.OutcomeRefused} {
		if !other.Stops() {
			t.Errorf("%s stops nothing", other)
		}
	}
	if pipeline.OutcomeApplied.Stops() || pipeline.OutcomeWaiting.Stops() {
		t.Error("a success, or what goes on, stops others")
	}
}
