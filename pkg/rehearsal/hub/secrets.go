package hub

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/crypto/nacl/box"
)

var secretRoutes = []route{
	{"GET", inRepo + "/actions/secrets/public-key", reads(secrets), false, getPublicKey},
	{"PUT", inRepo + "/actions/secrets/{secret_name}", writes(secrets), false, putSecret},
	{"DELETE", inRepo + "/actions/secrets/{secret_name}", writes(secrets), false, deleteSecret},
}

// secretKeys are the keys for which the secrets of a repository are sealed.
type secretKeys struct {
	id              string
	public, private *[32]byte
}

// sealedSecret is a secret as it came, and the keys that open it.
type sealedSecret struct {
	box  []byte
	keys *secretKeys
}

// OpenSecret opens a secret of Actions that came through the API.
func (r *Repo) OpenSecret(name string) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	s, have := r.settings.sealed[strings.ToUpper(name)]
	if !have {
		return "", fmt.Errorf("%s has no secret %q that came through the API", r.slug(), name)
	}
	plain, good := box.OpenAnonymous(nil, s.box, s.keys.public, s.keys.private)
	if !good {
		return "", fmt.Errorf("secret %q of %s is not sealed for its key", name, r.slug())
	}
	return string(plain), nil
}

// ReplaceSecretKeys gives the repository new keys for its secrets: GitHub changes them at times.
func (r *Repo) ReplaceSecretKeys() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.newSecretKeys()
}

func (r *Repo) newSecretKeys() error {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make the keys of %s: %w", r.slug(), err)
	}
	r.settings.keys = &secretKeys{id: fmt.Sprint(r.s.id("secret-key")), public: public, private: private}
	return nil
}

// getPublicKey is GET …/actions/secrets/public-key.
func getPublicKey(c *call) reply {
	if c.repo.settings.keys == nil {
		if err := c.repo.newSecretKeys(); err != nil {
			return problem(http.StatusInternalServerError, err.Error())
		}
	}
	k := c.repo.settings.keys
	return ok(object{"key_id": k.id, "key": base64.StdEncoding.EncodeToString(k.public[:])})
}

// secretName is the name as GitHub keeps it, or why it is none.
func secretName(name string) (string, bool) {
	name = strings.ToUpper(name)
	good := name != "" && !strings.HasPrefix(name, "GITHUB_") && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (name[0] < '0' || name[0] > '9')
	return name, good
}

// putSecret is PUT …/actions/secrets/{secret_name}.
func putSecret(c *call) reply {
	var in struct {
		Value string `json:"encrypted_value"`
		KeyID string `json:"key_id"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	name, good := secretName(c.params["secret_name"])
	sealed, err := base64.StdEncoding.DecodeString(in.Value)
	switch k := c.repo.settings.keys; {
	case !good:
		return problem(http.StatusUnprocessableEntity, "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_).")
	case k == nil || in.KeyID != k.id:
		return problem(http.StatusUnprocessableEntity, "Bad request - key_id does not match the public key of the repository")
	case err != nil || len(sealed) < box.AnonymousOverhead:
		return problem(http.StatusUnprocessableEntity, "Bad request - encrypted_value is not a sealed box")
	}
	if c.repo.settings.sealed == nil {
		c.repo.settings.sealed = map[string]sealedSecret{}
	}
	c.repo.settings.sealed[name] = sealedSecret{sealed, c.repo.settings.keys}
	if slices.Contains(c.repo.settings.secrets, name) {
		return noContent()
	}
	c.repo.settings.secrets = append(c.repo.settings.secrets, name)
	return reply{status: http.StatusCreated, body: object{}}
}

// deleteSecret is DELETE …/actions/secrets/{secret_name}.
func deleteSecret(c *call) reply {
	name := strings.ToUpper(c.params["secret_name"])
	if !slices.Contains(c.repo.settings.secrets, name) {
		return notFound()
	}
	c.repo.settings.secrets = slices.DeleteFunc(c.repo.settings.secrets, func(s string) bool { return s == name })
	delete(c.repo.settings.sealed, name)
	return noContent()
}
