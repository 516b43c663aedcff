package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/engine/tree"
)

// largePlan is a plan JSON with n updates, a tenth of them with secrets, in the
// proportions of a real one: planned values and prior state beside the changes.
func largePlan(n int) []byte {
	var b bytes.Buffer
	values := func(i int, size string) string {
		return fmt.Sprintf(`{"id":"i-%08d","name":"server-%d","size":%q,"tags":{"env":"staging","owner":"team-%d","cost":"%d"},"ports":[22,443,%d],"network":[{"subnet":"subnet-%d","public":false,"address":"10.0.%d.%d"}],"password":"secret-of-%d","user_data":"#!/bin/sh\necho hello %d\n"}`,
			i, i, size, i%7, i, 8000+i%100, i%16, i/256%256, i%256, i, i)
	}
	marks := func(i int) string {
		if i%10 == 0 {
			return `{"password":true,"tags":{},"ports":[false,false,false],"network":[{}]}`
		}
		return `{"tags":{},"ports":[false,false,false],"network":[{}]}`
	}
	resource := func(i int, size string) string {
		return fmt.Sprintf(`{"address":"module.m.example_server.s[%d]","mode":"managed","type":"example_server","name":"s","index":%d,"provider_name":"example","schema_version":1,"values":%s,"sensitive_values":%s}`, i, i, values(i, size), marks(i))
	}
	list := func(each func(i int) string) {
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(each(i))
		}
	}
	b.WriteString(`{"format_version":"1.2","terraform_version":"1.11.4","planned_values":{"root_module":{"child_modules":[{"resources":[`)
	list(func(i int) string { return resource(i, "large") })
	b.WriteString(`]}]}},"resource_changes":[`)
	list(func(i int) string {
		return fmt.Sprintf(`{"address":"module.m.example_server.s[%d]","module_address":"module.m","mode":"managed","type":"example_server","name":"s","index":%d,"provider_name":"example","change":{"actions":["update"],"before":%s,"after":%s,"after_unknown":{"tags":{},"ports":[false,false,false],"network":[{}]},"before_sensitive":%s,"after_sensitive":%s}}`,
			i, i, values(i, "small"), values(i, "large"), marks(i), marks(i))
	})
	b.WriteString(`],"prior_state":{"format_version":"1.0","values":{"root_module":{"child_modules":[{"resources":[`)
	list(func(i int) string { return resource(i, "small") })
	b.WriteString(`]}]}}},"complete":true,"errored":false}`)
	return b.Bytes()
}

func BenchmarkReadPlan(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		doc := largePlan(n)
		b.Run(fmt.Sprintf("any/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				var v any
				if err := json.NewDecoder(bytes.NewReader(doc)).Decode(&v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("plan/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := planjson.ReadPlan(bytes.NewReader(doc), planjson.ReadOptions{MAC: terraformtest.NewMAC}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCopyTree(b *testing.B) {
	from := b.TempDir()
	for i := range 500 {
		terraformtest.WriteFile(b, filepath.Join(from, fmt.Sprintf("d%d", i%20), fmt.Sprintf("f%d.tf", i)), string(bytes.Repeat([]byte("x"), 4000)))
	}
	to := b.TempDir()
	for i := 0; b.Loop(); i++ {
		target := filepath.Join(to, fmt.Sprint(i))
		if _, err := tree.NewCopy(from, target).Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.RemoveAll(target); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
