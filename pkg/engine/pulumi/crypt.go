package pulumi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Pulumi encrypts the secrets of a stack with AES-256-GCM under a key that PBKDF2 makes of the
// passphrase and the salt of the stack.
// https://www.pulumi.com/docs/iac/concepts/secrets/#configuring-secrets-encryption
const (
	keyIterations = 1_000_000
	keySize       = 32
	saltSize      = 8
	// saltProof is what a salt holds under its own key, to know a wrong passphrase.
	saltProof = "pulumi"
)

// errOtherPassphrase is a salt that was made with another passphrase.
var errOtherPassphrase = errors.New("the salt belongs to another passphrase")

var (
	errNoSalt   = errors.New("the salt has not the form of one")
	errNoSecret = errors.New("a secret has not the form of one")
)

// crypter reads and writes the secrets of one stack. Its key costs a million rounds: it is
// made when it is needed.
type crypter struct {
	passphrase string
	salt       string // as Pulumi keeps it
	once       sync.Once
	gcm        cipher.AEAD
	err        error
}

// newCrypter makes a new salt for a passphrase.
func newCrypter(passphrase string) (*crypter, error) {
	raw := make([]byte, saltSize)
	rand.Read(raw) // never fails: https://pkg.go.dev/crypto/rand#Read
	c := &crypter{passphrase: passphrase}
	c.once.Do(func() { c.gcm, c.err = derive(passphrase, raw) })
	if c.err != nil {
		return nil, c.err
	}
	c.salt = fmt.Sprintf("v1:%s:%s", base64.StdEncoding.EncodeToString(raw), c.seal(saltProof))
	return c, nil
}

// key is the key of the salt: errOtherPassphrase where another passphrase made the salt.
func (c *crypter) key() (cipher.AEAD, error) {
	c.once.Do(func() {
		parts := strings.SplitN(c.salt, ":", 3)
		if len(parts) != 3 || parts[0] != "v1" {
			c.err = errNoSalt
			return
		}
		raw, err := base64.StdEncoding.DecodeString(parts[1])
		if err != nil {
			c.err = errNoSalt
			return
		}
		if c.gcm, c.err = derive(c.passphrase, raw); c.err != nil {
			return
		}
		if proof, err := open(c.gcm, parts[2]); err != nil || proof != saltProof {
			c.err = errOtherPassphrase
		}
	})
	return c.gcm, c.err
}

func derive(passphrase string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, passphrase, salt, keyIterations, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal encrypts with the key that is there.
func (c *crypter) seal(text string) string {
	nonce := make([]byte, c.gcm.NonceSize())
	rand.Read(nonce)
	sealed := c.gcm.Seal(nil, nonce, []byte(text), nil)
	return fmt.Sprintf("v1:%s:%s", base64.StdEncoding.EncodeToString(nonce), base64.StdEncoding.EncodeToString(sealed))
}

func (c *crypter) decrypt(text string) (string, error) {
	key, err := c.key()
	if err != nil {
		return "", err
	}
	return open(key, text)
}

func open(key cipher.AEAD, text string) (string, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] != "v1" {
		return "", errNoSecret
	}
	nonce, err := base64.StdEncoding.DecodeString(parts[1])
	sealed, err2 := base64.StdEncoding.DecodeString(parts[2])
	if errors.Join(err, err2) != nil || len(nonce) != key.NonceSize() {
		return "", errNoSecret
	}
	clear, err := key.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", errors.New("a secret is not encrypted with the passphrase of the target")
	}
	return string(clear), nil
}
