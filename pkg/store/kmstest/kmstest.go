// Package kmstest is a double of AWS KMS for tests.
package kmstest

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

// Server has the rules of KMS for data keys: keys with states and aliases,
// ciphertexts that open under their key and encryption context only, permissions,
// and throttling. It speaks JSON 1.1 and wants requests signed by Signature 4.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
//
// Its fields are set and read between calls.
type Server struct {
	Keys     map[string]*Key   // by ARN
	Aliases  map[string]string // to ARN
	Throttle int               // answers to come
	Calls    []Call            // that were signed well
	URL      string

	mu       sync.Mutex
	policies map[string][]string // by access key
}

// Key is a key of KMS.
type Key struct {
	State string // Enabled, Disabled or PendingDeletion
	Usage string // ENCRYPT_DECRYPT or GENERATE_VERIFY_MAC

	secret []byte
}

// Call is one that was made.
type Call struct {
	Action  string
	Context map[string]string
	Allowed bool
}

// The keys that there are at first; alias/plans leads to the first one.
const (
	First  = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	Second = "arn:aws:kms:eu-central-1:111122223333:key/bbbbbbbb-12ab-34cd-56ef-1234567890ab"
)

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	d := &Server{Keys: map[string]*Key{}, Aliases: map[string]string{"alias/plans": First}, policies: map[string][]string{}}
	for _, arn := range []string{First, Second} {
		d.Keys[arn] = &Key{State: "Enabled", Usage: "ENCRYPT_DECRYPT", secret: make([]byte, 32)}
		rand.Read(d.Keys[arn].secret)
	}
	d.Permit("AKIA", `{"Statement": [{"Effect": "Allow", "Action": ["kms:*"], "Resource": ["*"]}]}`)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

// Permit gives a caller what all of the policies allow, as a role and its session
// policy do.
func (d *Server) Permit(accessKey string, policies ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.policies[accessKey] = policies
}

// Environ leads a client here as a caller who may do everything.
func (d *Server) Environ() map[string]string {
	return map[string]string{"AWS_ENDPOINT_URL_KMS": d.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
}

type request struct {
	KeyID             string            `json:"KeyId"`
	KeySpec           string            `json:"KeySpec"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

func (d *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	action, isKMS := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	signature := r.Header.Get("Authorization")
	credential, signed := strings.CutPrefix(signature, "AWS4-HMAC-SHA256 Credential=")
	caller, _, _ := strings.Cut(credential, "/")
	var in request
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || !isKMS || r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		fail(w, 400, "UnknownOperationException", r.Method+" "+r.URL.Path)
	case !signed || !strings.Contains(signature, "/eu-central-1/kms/aws4_request"):
		fail(w, 400, "IncompleteSignature", signature)
	case d.policies[caller] == nil:
		fail(w, 400, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case d.Throttle > 0:
		d.Throttle--
		fail(w, 400, "ThrottlingException", "Rate exceeded")
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		fail(w, 400, "SerializationException", "no JSON")
	default:
		d.answer(w, caller, action, in)
	}
}

// Allows reports whether the policies of a caller let it do something.
func (d *Server) Allows(accessKey, action, arn string, encryptionContext map[string]string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	allowed, err := d.permitted(accessKey, action, arn, encryptionContext)
	return allowed && err == nil
}

// permitted asks the policies of a caller.
func (d *Server) permitted(caller, action, arn string, encryptionContext map[string]string) (bool, error) {
	a := kmsRequest{action: "kms:" + action, arn: arn, values: map[string][]string{}}
	for name, value := range encryptionContext {
		a.values["kms:EncryptionContext:"+name] = []string{value}
	}
	for alias, of := range d.Aliases {
		if of == arn {
			a.values["kms:ResourceAliases"] = append(a.values["kms:ResourceAliases"], alias)
		}
	}
	for _, p := range d.policies[caller] {
		if allowed, err := allows(p, a); err != nil || !allowed {
			return false, err
		}
	}
	return true, nil
}

func (d *Server) answer(w http.ResponseWriter, caller, action string, in request) {
	arn := in.KeyID
	if alias, ok := d.Aliases[arn]; ok {
		arn = alias
	}
	allowed, err := d.permitted(caller, action, arn, in.EncryptionContext)
	d.Calls = append(d.Calls, Call{action, in.EncryptionContext, allowed})
	key := d.Keys[arn]
	switch {
	case err != nil:
		fail(w, 400, "MalformedPolicyDocumentException", err.Error())
	case !allowed:
		fail(w, 400, "AccessDeniedException", "User is not authorized to perform: kms:"+action+" on resource: "+arn)
	case key == nil:
		fail(w, 400, "NotFoundException", "Key '"+arn+"' does not exist")
	case key.State == "Disabled":
		fail(w, 400, "DisabledException", arn+" is disabled.")
	case key.State != "Enabled":
		fail(w, 400, "KMSInvalidStateException", arn+" is pending deletion.")
	case key.Usage != "ENCRYPT_DECRYPT":
		fail(w, 400, "InvalidKeyUsageException", arn+" key usage is "+key.Usage)
	case action == "GenerateDataKey" && in.KeySpec == "AES_256":
		plain := make([]byte, 32)
		rand.Read(plain)
		answer(w, map[string]any{"KeyId": arn, "Plaintext": plain, "CiphertextBlob": key.seal(arn, plain, in.EncryptionContext)})
	case action == "Decrypt":
		named, _, whole := strings.Cut(string(in.CiphertextBlob), "\x00")
		if whole && named != arn && d.Keys[named] != nil {
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

func (k *Key) aead() cipher.AEAD {
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
func bound(arn string, encryptionContext map[string]string) []byte {
	b := []byte(arn)
	for _, name := range slices.Sorted(maps.Keys(encryptionContext)) {
		b = append(b, "\x00"+base64.StdEncoding.EncodeToString([]byte(name))+"="+base64.StdEncoding.EncodeToString([]byte(encryptionContext[name]))...)
	}
	return b
}

func (k *Key) seal(arn string, plain []byte, encryptionContext map[string]string) []byte {
	return append([]byte(arn+"\x00"), k.aead().Seal(nil, nil, plain, bound(arn, encryptionContext))...)
}

func (k *Key) open(arn string, blob []byte, encryptionContext map[string]string) ([]byte, error) {
	return k.aead().Open(nil, nil, blob[min(len(arn)+1, len(blob)):], bound(arn, encryptionContext))
}
