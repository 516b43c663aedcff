package pipeline_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func FuzzParsePayload(f *testing.F) {
	f.Add([]byte(`{"request":{"version":1,"id":"00000000-0000-4000-8000-000000000000","repository":"a/b","repository_id":1,"path":"infra","event":"push","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","ref":"refs/heads/main","pull_request":0,"mode":"apply","run_id":1,"run_attempt":1},"proof":{"token":"x"}}`))
	f.Add([]byte(`{"request":{"version":1}}`))
	f.Add([]byte(`{"request":{},"extra":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := pipeline.ParsePayload(raw)
		if err != nil {
			return
		}
		again, err := pipeline.ParsePayload(pipelinetest.JSON(t, p))
		if err != nil || again != p {
			t.Fatalf("%+v came back as %+v, %v", p, again, err)
		}
		if strings.Contains(p.Request.Path, "..") && strings.HasPrefix(p.Request.Path, "..") {
			t.Fatalf("path %q leaves the repository", p.Request.Path)
		}
	})
}

func TestParseCustomerPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"infra", "deploy/eu-west 1", "größe/構成", "a+b@c", ".config/infra"} {
		if got, err := pipeline.ParseCustomerPath(good); err != nil || got != good {
			t.Errorf("%q: %q, %v", good, got, err)
		}
	}
	for bad, clean := range map[string]string{"a/": "a", "./a": "a", "/a/b": "a/b", `a\b`: "a/b", "a//b": "a/b", ".": "", "": "", "/": "", "..": "", "a/..": "", "~/a\x00": "", "C:/a": ""} {
		_, err := pipeline.ParseCustomerPath(bad)
		var e *pipeline.PathError
		if !errors.As(err, &e) || e.Clean != clean {
			t.Errorf("%q: %+v", bad, err)
		}
	}
}

func FuzzParseCustomerPath(f *testing.F) {
	for _, seed := range []string{"infra", "./infra/", `a\b`, "..", "a/../b", "\xff", ".git", "/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := pipeline.ParseCustomerPath(s)
		var e *pipeline.PathError
		switch {
		case err == nil && got != s:
			t.Errorf("%q became %q", s, got)
		case err == nil && (strings.HasPrefix(s, "/") || strings.Contains(s, "..") && strings.Contains("/"+s+"/", "/../")):
			t.Errorf("%q is accepted", s)
		case err != nil && !errors.As(err, &e):
			t.Errorf("%q: %v", s, err)
		case e != nil && e.Clean != "":
			if again, err := pipeline.ParseCustomerPath(e.Clean); err != nil || again != e.Clean {
				t.Errorf("%q suggests %q: %v", s, e.Clean, err)
			}
		}
	})
}
