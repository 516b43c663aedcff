package store_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// kmsDouble has the rules of KMS for data keys: keys with states and aliases,
// ciphertexts that open under their key and encryption context only, permissions,
// and throttling. It speaks JSON 1.1 and wants requests signed by Signature 4.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
type kmsDouble struct {
	mu       sync.Mutex
	keys     map[string]*kmsKey // by ARN
	aliases  map[string]string  // to ARN
	denied   map[string]bool    // "kms:Decrypt" and others
	throttle int                // answers to come
	calls    []kmsCall
	url      string
}

type kmsKey struct {
	state  string // Enabled, Disabled or PendingDeletion
	usage  string // ENCRYPT_DECRYPT or GENERATE_VERIFY_MAC
	secret []byte
}

type kmsCall struct {
	action  string
	context map[string]string
}

const (
	kmsFirst  = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	kmsSecond = "arn:aws:kms:eu-central-1:111122223333:key/bbbbbbbb-12ab-34cd-56ef-1234567890ab"
)

func newKMSDouble(t *testing.T) *kmsDouble {
	t.Helper()
	d := &kmsDouble{keys: map[string]*kmsKey{}, aliases: map[string]string{"alias/plans": kmsFirst}, denied: map[string]bool{}}
	for _, arn := range []string{kmsFirst, kmsSecond} {
		d.keys[arn] = &kmsKey{state: "Enabled", usage: "ENCRYPT_DECRYPT", secret: make([]byte, 32)}
		rand.Read(d.keys[arn].secret)
	}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *kmsDouble) environ() map[string]string {
	return map[string]string{"AWS_ENDPOINT_URL_KMS": d.url, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
}

type kmsRequest struct {
	KeyID             string            `json:"KeyId"`
	KeySpec           string            `json:"KeySpec"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

func (d *kmsDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	action, isKMS := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	signature := r.Header.Get("Authorization")
	var in kmsRequest
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || !isKMS || r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		fail(w, 400, "UnknownOperationException", r.Method+" "+r.URL.Path)
	case !strings.HasPrefix(signature, "AWS4-HMAC-SHA256 Credential=AKIA/") || !strings.Contains(signature, "/eu-central-1/kms/aws4_request"):
		fail(w, 400, "IncompleteSignature", signature)
	case d.throttle > 0:
		d.throttle--
		fail(w, 400, "ThrottlingException", "Rate exceeded")
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		fail(w, 400, "SerializationException", "no JSON")
	default:
		d.calls = append(d.calls, kmsCall{action, in.EncryptionContext})
		d.answer(w, action, in)
	}
}

func (d *kmsDouble) answer(w http.ResponseWriter, action string, in kmsRequest) {
	arn := in.KeyID
	if alias, ok := d.aliases[arn]; ok {
		arn = alias
	}
	key := d.keys[arn]
	switch {
	case d.denied["kms:"+action]:
		fail(w, 400, "AccessDeniedException", "User is not authorized to perform: kms:"+action+" on resource: "+arn)
	case key == nil:
		fail(w, 400, "NotFoundException", "Key '"+arn+"' does not exist")
	case key.state == "Disabled":
		fail(w, 400, "DisabledException", arn+" is disabled.")
	case key.state != "Enabled":
		fail(w, 400, "KMSInvalidStateException", arn+" is pending deletion.")
	case key.usage != "ENCRYPT_DECRYPT":
		fail(w, 400, "InvalidKeyUsageException", arn+" key usage is "+key.usage)
	case action == "GenerateDataKey" && in.KeySpec == "AES_256":
		plain := make([]byte, 32)
		rand.Read(plain)
		answer(w, map[string]any{"KeyId": arn, "Plaintext": plain, "CiphertextBlob": key.seal(arn, plain, in.EncryptionContext)})
	case action == "Decrypt":
		named, _, whole := strings.Cut(string(in.CiphertextBlob), "\x00")
		if whole && named != arn && d.keys[named] != nil {
			fail(w, 400, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
			return
		}
		plain, err := key.open(arn, in.CiphertextBlob, in.EncryptionContext)
		if err != nil {
			fail(w, 400, "InvalidCiphertextException", "")
			return
		}
		answer(w, map[string]any{"KeyId": arn, "Plaintext": plain, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
	default:
		fail(w, 400, "ValidationException", action)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone sees nothing anyway
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", "00000000-test")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

func (k *kmsKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// bound is the encryption context in an order of its own: the one given does not
// count.
func bound(arn string, context map[string]string) []byte {
	b := []byte(arn)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		b = append(b, "\x00"+base64.StdEncoding.EncodeToString([]byte(name))+"="+base64.StdEncoding.EncodeToString([]byte(context[name]))...)
	}
	return b
}

func (k *kmsKey) seal(arn string, plain []byte, context map[string]string) []byte {
	return append([]byte(arn+"\x00"), k.aead().Seal(nil, nil, plain, bound(arn, context))...)
}

func (k *kmsKey) open(arn string, blob []byte, context map[string]string) ([]byte, error) {
	return k.aead().Open(nil, nil, blob[min(len(arn)+1, len(blob)):], bound(arn, context))
}
