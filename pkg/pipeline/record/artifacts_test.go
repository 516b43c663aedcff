package record_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// artifactsOf is a store with the archive of one plan.
func artifactsOf(t *testing.T, artifacts map[string]string) (record.Records, record.PlanAttempt, pipeline.Receipt) {
	t.Helper()
	s, err := store.NewDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	receipt := pipeline.Receipt{Version: pipeline.ReceiptVersion, Exactness: pipeline.ExactnessExact, Customer: "acme", Environment: "staging",
		Request: pipeline.NewRequestID(), PlannedAt: time.Unix(1, 0).UTC(), Artifacts: map[string]string{}}
	for name := range artifacts {
		receipt.Artifacts[name] = strings.Repeat("0", 64)
	}
	folder := record.PlanAttempt{Target: receipt.Target(), Prefix: "acme/staging/plans/r/0001/"}
	return record.Records{Store: s, Sealer: sealer}, folder, receipt
}

// salt is that of the plans of the tests.
const salt = pipeline.Salt("0123456789abcdef0123456789abcdef")

func TestArtifacts(t *testing.T) {
	t.Parallel()
	content := map[string]string{"plan": strings.Repeat("p", 3<<20), "plan-json": "{}", "bundle": ""}
	s, folder, receipt := artifactsOf(t, content)
	artifacts := pipeline.Artifacts{}
	for name, text := range content {
		artifacts[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(artifacts[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := record.SealArtifacts(t.Context(), s, folder, receipt, artifacts, salt, []byte("name: shop\n")); err != nil {
		t.Fatal(err)
	}
	if err := record.SealArtifacts(t.Context(), s, folder, receipt, artifacts, salt, nil); !errors.Is(err, pipeline.ErrExists) {
		t.Errorf("it was written twice: %v", err)
	}
	got, opened, variables, err := record.OpenArtifacts(t.Context(), s, folder, receipt, t.TempDir())
	if err != nil || opened != salt || string(variables) != "name: shop\n" || len(got) != len(content) {
		t.Fatalf("%v %q %v", got, variables, err)
	}
	for name, file := range got {
		b, err := os.ReadFile(file)
		if info, infoErr := os.Stat(file); err != nil || infoErr != nil || string(b) != content[name] || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes %v %v", name, len(b), err, infoErr)
		}
	}
	other := receipt
	other.Commit = "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334"
	if _, _, _, err := record.OpenArtifacts(t.Context(), s, folder, other, t.TempDir()); !errors.Is(err, pipeline.ErrTampered) {
		t.Errorf("with another receipt: %v", err)
	}
	artifacts["gone"] = filepath.Join(t.TempDir(), "gone")
	again := record.PlanAttempt{Target: folder.Target, Prefix: "acme/staging/plans/r/0002/"}
	if err := record.SealArtifacts(t.Context(), s, again, receipt, artifacts, salt, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an artifact that cannot be read: %v", err)
	}
	if _, err := s.Open(t.Context(), again.Key(record.ObjectArtifacts)); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("half an archive was written: %v", err)
	}
}

// TestHostileArchives are archives that only a holder of the key could seal.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	type member struct {
		name, body string
		kind       byte
	}
	variables, salted, plan := member{"variables.yml", "a: b\n", tar.TypeReg}, member{"plan.salt", string(salt), tar.TypeReg}, member{"plan", "p", tar.TypeReg}
	for name, members := range map[string][]member{
		"no member":             {},
		"no variables":          {salted, plan},
		"no salt":               {variables, plan},
		"short salt":            {variables, {"plan.salt", string(salt[1:]), tar.TypeReg}, plan},
		"salt twice":            {variables, salted, salted, plan},
		"variables twice":       {variables, salted, plan, variables},
		"artifact twice":        {variables, salted, plan, plan},
		"not in the receipt":    {variables, salted, plan, {"bundle", "x", tar.TypeReg}},
		"path":                  {variables, salted, {"../plan", "x", tar.TypeReg}},
		"path in the receipt":   {variables, salted, {"../evil", "x", tar.TypeReg}},
		"link":                  {variables, salted, {"plan", "", tar.TypeSymlink}},
		"directory":             {variables, salted, {"plan", "", tar.TypeDir}},
		"archive without start": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, folder, receipt := artifactsOf(t, map[string]string{"plan": "", "../evil": ""})
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, m := range members {
				if err := w.WriteHeader(&tar.Header{Name: m.name, Typeflag: m.kind, Linkname: "/etc/passwd", Size: int64(len(m.body)), Mode: 0o600}); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte(m.body)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if members == nil {
				b.Reset()
				b.WriteString(strings.Repeat("no archive ", 100))
			}
			key, binding := folder.Key(record.ObjectArtifacts), pipeline.BindTo(receipt, record.ObjectArtifacts)
			if err := record.SealInto(t.Context(), s.Store, s.Sealer, key, binding, &b); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if artifacts, _, _, err := record.OpenArtifacts(t.Context(), s, folder, receipt, dir); !errors.Is(err, pipeline.ErrTampered) {
				t.Errorf("%v %v", artifacts, err)
			}
			if outside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(outside) != 1 {
				t.Errorf("written outside: %v %v", outside, err)
			}
		})
	}
}
