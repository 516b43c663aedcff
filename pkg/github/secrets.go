package github

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/crypto/nacl/box"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Seal seals a text for a public key of 32 bytes in base64, as libsodium's crypto_box_seal does.
func Seal(publicKey, text string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		return "", fmt.Errorf("decode the public key: %w", err)
	}
	if len(raw) != 32 {
		return "", fmt.Errorf("the public key has %d bytes, and not 32", len(raw))
	}
	sealed, err := box.SealAnonymous(nil, []byte(text), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("seal the secret: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// SetSecret sets a secret of Actions, sealed with the repository's public key. GitHub replaces the key
// at times: a key that was replaced between the two requests is asked for once more.
func (c *Client) SetSecret(ctx context.Context, slug pipeline.Slug, name, value string) error {
	var err error
	for range 2 {
		k := get(slug, "read the public key for secrets", "/repos/{owner}/{repo}/actions/secrets/public-key")
		var key struct {
			ID  string `json:"key_id"`
			Key string `json:"key"`
		}
		if _, err := c.send(ctx, k, nil, &key); err != nil {
			return err
		}
		if key.ID == "" {
			return k.fail(errors.New("the answer lacks the id of the key"))
		}
		sealed, sealErr := Seal(key.Key, value)
		if sealErr != nil {
			return k.fail(sealErr)
		}
		k = write(http.MethodPut, slug, "set the secret "+name, "/repos/{owner}/{repo}/actions/secrets/{secret_name}", name)
		k.repeatable = true
		_, err = c.send(ctx, k, map[string]string{"encrypted_value": sealed, "key_id": key.ID}, nil)
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
			return err
		}
	}
	return err
}

// RemoveSecret removes a secret of Actions. What is gone already is removed.
func (c *Client) RemoveSecret(ctx context.Context, slug pipeline.Slug, name string) error {
	return c.remove(ctx, slug, "remove the secret "+name, "/repos/{owner}/{repo}/actions/secrets/{secret_name}", name)
}
