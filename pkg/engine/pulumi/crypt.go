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

// crypter reads and writes the secrets of one stack.
type crypter struct {
	passphrase string
	salt       string // as Pulumi keeps it
	gcm        cipher.AEAD
}

// newCrypter makes a new salt for a passphrase.
func newCrypter(passphrase string) (*crypter, error) {
	raw := make([]byte, saltSize)
	rand.Read(raw) // never fails: https://pkg.go.dev/crypto/rand#Read
	c := &crypter{passphrase: passphrase}
	if err := c.derive(raw); err != nil {
		return nil, err
	}
	c.salt = fmt.Sprintf("v1:%s:%s", base64.StdEncoding.EncodeToString(raw), c.encrypt(saltProof))
	return c, nil
}

// openCrypter is the crypter of a salt that is there already: errOtherPassphrase where
// another passphrase made it.
func openCrypter(passphrase, salt string) (*crypter, error) {
	parts := strings.SplitN(salt, ":", 3)
	if len(parts) != 3 || parts[0] != "v1" {
		return nil, errors.New("the salt has not the form of one")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("the salt has not the form of one")
	}
	c := &crypter{passphrase: passphrase, salt: salt}
	if err := c.derive(raw); err != nil {
		return nil, err
	}
	if proof, err := c.decrypt(parts[2]); err != nil || proof != saltProof {
		return nil, errOtherPassphrase
	}
	return c, nil
}

func (c *crypter) derive(salt []byte) error {
	key, err := pbkdf2.Key(sha256.New, c.passphrase, salt, keyIterations, keySize)
	if err != nil {
		return fmt.Errorf("derive the key of the secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	c.gcm, err = cipher.NewGCM(block)
	return err
}

func (c *crypter) encrypt(text string) string {
	nonce := make([]byte, c.gcm.NonceSize())
	rand.Read(nonce)
	sealed := c.gcm.Seal(nil, nonce, []byte(text), nil)
	return fmt.Sprintf("v1:%s:%s", base64.StdEncoding.EncodeToString(nonce), base64.StdEncoding.EncodeToString(sealed))
}

func (c *crypter) decrypt(text string) (string, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] != "v1" {
		return "", errors.New("a secret has not the form of one")
	}
	nonce, err := base64.StdEncoding.DecodeString(parts[1])
	sealed, err2 := base64.StdEncoding.DecodeString(parts[2])
	if errors.Join(err, err2) != nil || len(nonce) != c.gcm.NonceSize() {
		return "", errors.New("a secret has not the form of one")
	}
	clear, err := c.gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", errors.New("a secret is not encrypted with the passphrase of the target")
	}
	return string(clear), nil
}
