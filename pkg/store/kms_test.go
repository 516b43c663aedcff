package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/kmstest"
)

var planBinding = pipeline.Binding{Target: pipeline.Target{Customer: "shop", Environment: "staging"}, Data: []byte("artifacts.sealed\x00receipt")}

func kmsSealer(t testing.TB, d *kmstest.Server, objects pipeline.Store, names []string, keys ...store.Key) *store.Sealer {
	t.Helper()
	s, err := store.NewKMSSealer(t.Context(), store.KMSOptions{Keys: names, Objects: objects, Lookup: lookup(d.Environ())}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealTo(t testing.TB, s *store.Sealer, plain string, to pipeline.Binding) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	w, err := s.Seal(t.Context(), &out, to)
	if err == nil {
		_, err = io.WriteString(w, plain)
		err = errors.Join(err, w.Close())
	}
	return out.Bytes(), err
}

func unsealTo(t testing.TB, s *store.Sealer, sealed []byte, to pipeline.Binding) (string, error) {
	t.Helper()
	r, err := s.Unseal(t.Context(), bytes.NewReader(sealed), to)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestKMSSeals(t *testing.T) {
	t.Parallel()
	d := kmstest.Start(t)
	s := kmsSealer(t, d, nil, []string{"alias/plans"})
	sealed, err := sealTo(t, s, "plan", planBinding)
	if err != nil {
		t.Fatal(err)
	}
	d.Throttle = 2
	if got, err := unsealTo(t, s, sealed, planBinding); err != nil || got != "plan" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, call := range d.Calls {
		if call.Context["metapipe:customer"] != "shop" || call.Context["metapipe:environment"] != "staging" || len(call.Context["metapipe:binding"]) != 64 {
			t.Errorf("%s in the context %v", call.Action, call.Context)
		}
	}
	again, err := sealTo(t, s, "plan", planBinding)
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("two objects are one: %v", err)
	}
}

// TestKMSRefuses changes what belongs together; KMS itself refuses the first ones.
func TestKMSRefuses(t *testing.T) {
	t.Parallel()
	d := kmstest.Start(t)
	s := kmsSealer(t, d, nil, []string{kmstest.First})
	sealed, err := sealTo(t, s, strings.Repeat("plan", 100), planBinding)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*pipeline.Binding){
		"another customer":    func(b *pipeline.Binding) { b.Customer = "other" },
		"another environment": func(b *pipeline.Binding) { b.Environment = "production" },
		"no environment":      func(b *pipeline.Binding) { b.Environment = "" },
		"another receipt":     func(b *pipeline.Binding) { b.Data = []byte("artifacts.sealed\x00receipu") },
	} {
		to := planBinding
		change(&to)
		if _, err := unsealTo(t, s, sealed, to); !errors.Is(err, pipeline.ErrTampered) {
			t.Errorf("%s: %v, want ErrTampered", name, err)
		}
	}
	for i := range sealed {
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		if _, err := unsealTo(t, s, flipped, planBinding); !errors.Is(err, pipeline.ErrTampered) {
			t.Fatalf("flipped byte %d: %v, want ErrTampered", i, err)
		}
		if _, err := unsealTo(t, s, sealed[:i], planBinding); !errors.Is(err, pipeline.ErrTampered) {
			t.Fatalf("cut to %d bytes: %v, want ErrTampered", i, err)
		}
	}
}

func TestKMSTellsWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(*kmstest.Server)
		respond string
	}{
		"denied": {func(d *kmstest.Server) {
			d.Permit("AKIA", `{"Statement": [{"Effect": "Allow", "NotAction": ["kms:Decrypt"], "Resource": ["*"]}]}`)
		}, "allow kms:Decrypt on " + kmstest.First + " in the policy of this role"},
		"disabled":         {func(d *kmstest.Server) { d.Keys[kmstest.First].State = "Disabled" }, "enable the key " + kmstest.First},
		"pending deletion": {func(d *kmstest.Server) { d.Keys[kmstest.First].State = "PendingDeletion" }, "cancel the deletion of " + kmstest.First},
		"deleted":          {func(d *kmstest.Server) { delete(d.Keys, kmstest.First) }, "there is no such key"},
		"for hashing":      {func(d *kmstest.Server) { d.Keys[kmstest.First].Usage = "GENERATE_VERIFY_MAC" }, "name a symmetric key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := kmstest.Start(t)
			s := kmsSealer(t, d, nil, []string{kmstest.First})
			sealed, err := sealTo(t, s, "plan", planBinding)
			if err != nil {
				t.Fatal(err)
			}
			c.happens(d)
			_, err = unsealTo(t, s, sealed, planBinding)
			if err == nil || errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey) || !strings.Contains(err.Error(), c.respond) || !strings.Contains(err.Error(), "shop/staging") {
				t.Errorf("got %v, want %q", err, c.respond)
			}
		})
	}
}

// TestKMSRotation goes from METAPIPE_KEY to KMS, and from one KMS key to the next.
func TestKMSRotation(t *testing.T) {
	t.Parallel()
	d := kmstest.Start(t)
	objects, err := store.NewDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret := store.NewKey()
	plain, err := store.NewSealer(secret)
	if err != nil {
		t.Fatal(err)
	}
	stages := []*store.Sealer{plain, kmsSealer(t, d, objects, []string{kmstest.First}, secret), kmsSealer(t, d, objects, []string{kmstest.First}),
		kmsSealer(t, d, objects, []string{kmstest.Second, kmstest.First}), kmsSealer(t, d, objects, []string{kmstest.Second})}
	var sealed [][]byte
	var prints []string
	for i, s := range stages {
		b, err := sealTo(t, s, "plan", planBinding)
		if err != nil {
			t.Fatal(err)
		}
		sealed, prints = append(sealed, b), append(prints, printOf(t, s, "changes"))
		if again := printOf(t, s, "changes"); again != prints[i] {
			t.Errorf("stage %d: two fingerprints of the same", i)
		}
		if i == 0 {
			continue
		}
		if got, err := unsealTo(t, s, sealed[i-1], planBinding); err != nil || got != "plan" {
			t.Errorf("stage %d: what was sealed before it: %q, %v", i, got, err)
		}
		if same, known := pipeline.SameFingerprint(prints[i-1], prints[i]); !same || !known {
			t.Errorf("stage %d: same %v, known %v", i, same, known)
		}
		if same, known := pipeline.SameFingerprint(prints[i-1], printOf(t, s, "others")); same || !known {
			t.Errorf("stage %d, other changes: same %v, known %v", i, same, known)
		}
	}
	for _, old := range sealed[:3] {
		if _, err := unsealTo(t, stages[4], old, planBinding); !errors.Is(err, pipeline.ErrUnknownKey) || errors.Is(err, pipeline.ErrTampered) {
			t.Errorf("under a key that was removed: %v", err)
		}
	}
	if _, err := unsealTo(t, plain, sealed[1], planBinding); !errors.Is(err, pipeline.ErrUnknownKey) || !strings.Contains(err.Error(), kmstest.First) {
		t.Errorf("without KMS: %v", err)
	}
}

func printOf(t testing.TB, s *store.Sealer, changes string) string {
	t.Helper()
	mac, err := s.MAC(t.Context(), pipeline.Target{Customer: "shop", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	h := mac()
	h.Write([]byte(changes))
	return hex.EncodeToString(h.Sum(nil))
}

func TestKMSKeysOfFingerprintsAreApart(t *testing.T) {
	t.Parallel()
	d := kmstest.Start(t)
	objects, err := store.NewDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := kmsSealer(t, d, objects, []string{kmstest.First})
	one := printOf(t, s, "changes")
	mac, err := s.MAC(t.Context(), pipeline.Target{Customer: "other", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	h := mac()
	h.Write([]byte("changes"))
	if same, known := pipeline.SameFingerprint(one, hex.EncodeToString(h.Sum(nil))); same || known {
		t.Error("two customers share a key of fingerprints")
	}
	// A key that was moved from another target is none of this one's.
	keys, err := objects.List(t.Context(), "other/staging/keys/")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	r, err := objects.Open(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(objects.Create(t.Context(), "shop/staging/keys/moved.sealed", r), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MAC(t.Context(), pipeline.Target{Customer: "shop", Environment: "staging"}); !errors.Is(err, pipeline.ErrTampered) {
		t.Errorf("a moved key: %v", err)
	}
}

// TestKMSOfASharedRole: customers share a role that may use the key for everything,
// and the policy of the session holds them apart.
func TestKMSOfASharedRole(t *testing.T) {
	t.Parallel()
	const wide = `{"Statement": [{"Effect": "Allow", "Action": ["kms:*"], "Resource": ["*"]}]}`
	d := kmstest.Start(t)
	s := kmsSealer(t, d, nil, []string{"alias/plans"})
	sealed := map[pipeline.CustomerName][]byte{}
	binding := func(c pipeline.CustomerName) pipeline.Binding {
		return pipeline.Binding{Target: pipeline.Target{Customer: c, Environment: "staging"}, Data: []byte("x")}
	}
	for _, c := range []pipeline.CustomerName{"shop", "shop2"} {
		b, err := sealTo(t, s, "plan", binding(c))
		if err != nil {
			t.Fatal(err)
		}
		sealed[c] = b
	}
	policy, err := store.Scope{Bucket: pipeline.Bucket{Name: "states"}, Customer: "shop", Environment: "staging", SealingKeys: []string{"alias/plans"}}.SessionPolicy(shopRole, pipeline.Backend{})
	if err != nil {
		t.Fatal(err)
	}
	d.Permit("AKIA", wide, policy)
	if got, err := unsealTo(t, s, sealed["shop"], binding("shop")); err != nil || got != "plan" {
		t.Errorf("its own: %q, %v", got, err)
	}
	if _, err := unsealTo(t, s, sealed["shop2"], binding("shop2")); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("opened what belongs to another customer: %v", err)
	}
	if _, err := sealTo(t, s, "plan", binding("shop2")); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("sealed for another customer: %v", err)
	}
	if !d.Allows("AKIA", "Decrypt", kmstest.First, map[string]string{"aws:s3:arn": "arn:aws:s3:::assets"}) {
		t.Error("the tool may not use KMS for what it builds")
	}
}

func FuzzUnsealKMS(f *testing.F) {
	// Nothing is asked: the name of the key is checked, and then KMS is not there.
	s, err := store.NewSealer(store.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	head := append([]byte("metapipe\x02\x00\x05alias\x00\x03xyz"), make([]byte, 48)...)
	f.Add(head)
	f.Add([]byte("metapipe\x02\xff\xff"))
	f.Add([]byte("metapipe\x02\x00\x00"))
	f.Add([]byte("metapipe\x02\x00\x02a\n\x00\x01x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := unsealTo(t, s, data, planBinding)
		if err == nil || !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey) {
			t.Fatalf("got %v, want ErrTampered or ErrUnknownKey", err)
		}
		if text := err.Error(); strings.ContainsAny(text, "\n\r\x1b") {
			t.Fatalf("the error quotes hostile bytes: %q", text)
		}
	})
}
