package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestVectors holds the format of sealed objects against vectors that another
// implementation of docs/SECURITY.md ("How objects are sealed") computed. The clear
// text of n bytes has 7·i mod 256 at position i.
func TestVectors(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/sealed_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Key, Salt, Associated, Sealed string
		PlainSize                           int    `json:"plain_size"`
		SHA256                              string `json:"sealed_sha256"`
	}
	if err := json.Unmarshal(content, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(len(vectors), "vectors:", err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			key, err := ParseKey(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			plain := make([]byte, v.PlainSize)
			for i := range plain {
				plain[i] = byte(7 * i)
			}
			s, associated := sealerOf(t, key), fromHex(t, v.Associated)
			var sealed bytes.Buffer
			w, err := s.seal(&sealed, [saltSize]byte(fromHex(t, v.Salt)), pipeline.Binding{Data: associated})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(sealed.Bytes()); hex.EncodeToString(sum[:]) != v.SHA256 {
				t.Errorf("sealed to %x…, not to the vector's bytes", sealed.Bytes()[:min(sealed.Len(), 100)])
			}
			if v.Sealed == "" {
				return
			}
			if got, err := unseal(s, fromHex(t, v.Sealed), associated); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("the vector unseals to %x, %v", got, err)
			}
		})
	}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
