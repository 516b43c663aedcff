package github

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// credentials authorize calls.
type credentials interface {
	// token returns the bearer token for a call; "" sends none.
	token(ctx context.Context, k call) (string, error)
	// refused is called when GitHub did not accept a token (401), and reports
	// whether it is worth asking for another one.
	refused(ctx context.Context, k call, token string) bool
}

// fixedToken is a personal access token, or the GITHUB_TOKEN of a job.
type fixedToken string

func (t fixedToken) token(context.Context, call) (string, error)        { return string(t), nil }
func (t fixedToken) refused(context.Context, call, string) (again bool) { return false }

// checkToken trims a token and refuses what cannot be one; it may be empty.
func checkToken(s string) (string, error) {
	token := strings.TrimSpace(s)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", pipeline.Usagef("the GitHub token holds a space, a line break or another character that no token has").
			Nextf("store the token again, without quotes and as one line")
	}
	return token, nil
}

const (
	maxKeyBytes = 16 << 10
	minKeyBits  = 2048 // what GitHub makes
)

// parseKey reads an RSA key in PEM. Its errors do not quote it.
func parseKey(s string) (*rsa.PrivateKey, error) {
	if len(s) > maxKeyBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxKeyBytes)
	}
	block, _ := pem.Decode([]byte(strings.ReplaceAll(strings.TrimSpace(s), `\n`, "\n") + "\n"))
	if block == nil {
		return nil, errors.New("it is not in PEM form (-----BEGIN RSA PRIVATE KEY-----)")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its content is not an RSA private key")
		}
		isRSA := false
		if key, isRSA = parsed.(*rsa.PrivateKey); !isRSA {
			return nil, errors.New("it is no RSA key")
		}
	}
	if bits := key.N.BitLen(); bits < minKeyBits {
		return nil, fmt.Errorf("it has %d bits; GitHub's have at least %d", bits, minKeyBits)
	}
	return key, nil
}

// secrets are the tokens that were used so far.
type secrets struct {
	mu  sync.Mutex
	all []string
}

func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret != "" && !slices.Contains(s.all, secret) {
		s.all = append(s.all, secret)
	}
}

// hide makes sure that no server and no library can echo a token.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.all {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}
