package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"context"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/text"
)

// ownSecrets are secret by their name, whatever their value looks like.
var ownSecrets = []string{envOwnToken, envManagerToken, envSourceToken, envAppKey, envKey}

// guessable is the length below which a value is no secret. Masking a word would
// blot the log, and GitHub drops outputs that hold a masked text.
const guessable = 8

// worthMasking keeps words such as "production" or "eu-central-1" readable.
func worthMasking(value string) bool {
	value = strings.TrimSpace(value)
	if len(value) < guessable {
		return false
	}
	plain := strings.Trim(value, "abcdefghijklmnopqrstuvwxyz-_. ") == ""
	return !plain || len(value) >= 3*guessable
}

// minKey is the length below which a part of METAPIPE_KEY is not a key: 32 bytes
// take 43 characters, and a shorter word may be part of our own message about it.
const minKey = 16

// secretsOf returns the secret parts of a variable's value: itself, the keys of a
// list, the secret members of a JSON object, the password of a URL. Whatever is
// declared secret is one, whatever it looks like: our own secrets, and variables
// that tool.env lists under the name of a secret.
func secretsOf(name, value string, listed bool) []string {
	var found []string
	if declaredSecret(name, value, listed) || (listed || namedSecret(name)) && worthMasking(value) {
		found = append(found, value)
		if name == envKey {
			found = append(found, slices.DeleteFunc(store.SplitKeys(value), func(key string) bool { return len(key) < minKey })...)
		}
	}
	parts := slices.Concat(urlPassword(value), jsonSecrets(value), pairSecrets(value))
	if listed {
		parts = append(parts, urlTokens(value)...)
	}
	for _, part := range parts {
		if !slices.Contains(found, part) {
			found = append(found, part)
		}
	}
	return found
}

// declaredSecret reports whether a variable is secret by what it is, not by what
// its value looks like. A switch is none: TOKEN_CACHE=true.
func declaredSecret(name, value string, listed bool) bool {
	if slices.Contains(ownSecrets, name) {
		return true
	}
	value = strings.TrimSpace(value)
	switch {
	case !listed || !namedSecret(name), slices.Contains([]string{"true", "false", "0", "1"}, value):
		return false
	case endsInAny(strings.ToUpper(name), countingEnds):
		return strings.Trim(value, "0123456789.") != ""
	}
	return true
}

// tooShortToMask finds a declared secret that would be found everywhere, so that
// nothing can hide it.
func (a *App) tooShortToMask(listed func(name string) bool) error {
	for _, pair := range a.Environ {
		name, value, _ := strings.Cut(pair, "=")
		value = strings.TrimSpace(value)
		if value == "" || len(value) >= text.MinSecret || !declaredSecret(name, value, listed(name)) {
			continue
		}
		next := fmt.Sprintf("use a secret of %d characters or more, or unset %s", text.MinSecret, name)
		switch {
		case name == envKey:
			next = fmt.Sprintf("set %s to the manager's key: 32 bytes in base64, such as `openssl rand -base64 32` prints", name)
		case listed(name):
			next = fmt.Sprintf("use a secret of %d characters or more, or remove %s from tool.env of metapipe.yml", text.MinSecret, name)
		}
		return pipeline.Usagef("%s is a secret of %s, too short to be masked in logs", name, characters(len(value))).Nextf("%s", next)
	}
	return nil
}

func characters(n int) string {
	if n == 1 {
		return "1 character"
	}
	return fmt.Sprintf("%d characters", n)
}

// urlPassword is the password of a URL, as it stands there and as it is meant:
// URLs that are not quite right are printed by those who complain about them.
func urlPassword(value string) []string {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return nil
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 && strings.Contains(rest[:end], "@") {
		authority = rest[:end]
	}
	user, _, ok := cutLast(authority, "@")
	_, written, has := strings.Cut(user, ":")
	if !ok || !has || len(written) < text.MinSecret {
		return nil
	}
	return bothForms(written, url.PathUnescape)
}

// bothForms are a part of a URL as it is written, and as it is meant where that differs.
func bothForms(written string, unescape func(string) (string, error)) []string {
	if meant, err := unescape(written); err == nil && meant != written {
		return []string{written, meant}
	}
	return []string{written}
}

// minToken is the length from which a part of a URL may be a token.
const minToken = 16

// urlTokens are the parts of a URL's path and query that look random: who knows the
// address of a webhook or a signed URL needs nothing else.
func urlTokens(value string) (found []string) {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return nil
	}
	_, rest, _ = strings.Cut(rest, "/")
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("/?#&=;, \t\r\n", r) }) {
		if len(part) < minToken || !strings.ContainsAny(part, "0123456789") || !worthMasking(part) {
			continue
		}
		found = append(found, bothForms(part, url.QueryUnescape)...)
	}
	return found
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// jsonSecrets are the members of a JSON document that are secret by their name, at
// any depth, as in the key file of a service account.
func jsonSecrets(value string) []string {
	if trimmed := strings.TrimSpace(value); !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return nil
	}
	var document any
	if json.Unmarshal([]byte(value), &document) != nil {
		return nil
	}
	return membersOf(document, false)
}

func membersOf(value any, secret bool) (found []string) {
	switch v := value.(type) {
	case string:
		if secret && len(v) >= text.MinSecret {
			found = append(found, v)
		}
	case []any:
		for _, inner := range v {
			found = append(found, membersOf(inner, secret)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			found = append(found, membersOf(v[name], secret || namedSecret(separated(name)))...)
		}
	}
	return found
}

// separated writes clientSecret and client-secret as CLIENT_SECRET.
func separated(name string) string {
	return strings.ReplaceAll(wordBorder().ReplaceAllString(name, "${1}_${2}"), "-", "_")
}

var wordBorder = text.Pattern(`([a-z0-9])([A-Z])`)

// pair matches NAME=VALUE in the query of a URL and in the lists of connection strings.
var pair = text.Pattern(`(?:^|[?&;\s,])([A-Za-z][A-Za-z0-9_ -]*)=("[^"]*"|'[^']*'|[^&;\s,]+)`)

// userPassword matches USER:PASSWORD@ where there is no scheme before it, as in the
// DSN of Go's MySQL driver.
var userPassword = text.Pattern(`^[^:/@\s]+:([^/@\s][^@\s]*)@[^@]*$`)

// pairSecrets are the values that a connection string gives to names of secrets.
func pairSecrets(value string) (found []string) {
	for _, m := range pair().FindAllStringSubmatch(value, -1) {
		written := strings.Trim(m[2], `"'`)
		name := separated(strings.ReplaceAll(strings.TrimSpace(m[1]), " ", "_"))
		// Only in the environment is PWD the working directory.
		if !namedSecret(name) && !strings.EqualFold(name, "PWD") || len(written) < text.MinSecret {
			continue
		}
		found = append(found, bothForms(written, url.QueryUnescape)...)
	}
	if m := userPassword().FindStringSubmatch(value); m != nil && len(m[1]) >= text.MinSecret {
		found = append(found, m[1])
	}
	return found
}

// environSecrets are the secrets of the environment. listed says which further
// variables hold some although their names do not say so.
func (a *App) environSecrets(listed func(name string) bool) []string {
	var found []string
	for _, pair := range a.Environ {
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" {
			found = append(found, secretsOf(name, value, listed(name))...)
		}
	}
	return found
}

func nothingListed(string) bool { return false }

// passedSecrets says which variables metapipe.yml passes to the tool as secrets:
// all that it names, but for those whose names say that they are addresses.
func passedSecrets(rules []string) func(string) bool {
	return func(name string) bool {
		return (!endsInAny(strings.ToUpper(name), harmlessEnds) || namedSecret(name)) && !pipeline.DeniedToTool(name) && process.PassedByRule(name, rules)
	}
}

// secretSet is all that this process knows to be secret. Tokens are made while
// others print and while tools begin, so all three share it. Its zero value is
// empty; it is safe for concurrent use.
type secretSet struct {
	mu      sync.Mutex
	all     []string
	streams []*actions.MaskingWriter // Out and Err
}

// add hides secrets from here on: in what this process prints, and by mask, which
// gets those that are new.
func (s *secretSet) add(mask func(...string) error, secrets ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fresh []string
	for _, secret := range secrets {
		if !slices.Contains(s.all, secret) {
			s.all, fresh = append(s.all, secret), append(fresh, secret)
		}
	}
	for _, w := range s.streams {
		w.Add(fresh...)
	}
	return mask(fresh...)
}

// front puts a mask before a writer that no one has seen yet.
func (s *secretSet) front(w io.Writer) *actions.MaskingWriter {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := actions.NewMaskingWriter(w, s.all)
	s.streams = append(s.streams, m)
	return m
}

// list returns what is known by now.
func (s *secretSet) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// masks registers secrets with the log of the runner.
type masks struct{ *step }

func masksOf(s *step) masks { return masks{s} }

// add hides secrets from here on: in the runner, which masks the whole job, in
// what this process prints and in what tools say.
func (s masks) add(secrets ...string) error {
	return s.app.secrets.add(s.runner.Mask, secrets...)
}

// environ masks what the environment brings along.
func (s masks) environ() error {
	if err := s.app.tooShortToMask(nothingListed); err != nil {
		return err
	}
	if err := s.add(s.app.environSecrets(nothingListed)...); err != nil {
		return fmt.Errorf("mask the secrets of the environment: %w", err)
	}
	return nil
}

// passed masks what metapipe.yml passes to the tool.
func (s masks) passed(rules []string) error {
	if len(rules) == 0 {
		return nil
	}
	if err := s.app.tooShortToMask(passedSecrets(rules)); err != nil {
		return err
	}
	if err := s.add(s.app.environSecrets(passedSecrets(rules))...); err != nil {
		return fmt.Errorf("mask the variables of tool.env: %w", err)
	}
	return nil
}

// guard puts a mask before both streams, and in a workflow takes the power from
// commands: the runner obeys those in anything that a step prints, and only the
// ones of actions.Runner are ours.
func (a *App) guard(inActions bool) {
	if a.secrets != nil {
		return
	}
	a.secrets = &secretSet{}
	secrets := a.environSecrets(nothingListed)
	for _, stream := range []*io.Writer{&a.Out, &a.Err} {
		w := *stream
		if inActions {
			w = actions.Neutralize(w)
		}
		masking := actions.NewMaskingWriter(w, secrets)
		a.secrets.streams, *stream = append(a.secrets.streams, masking), masking
	}
}

// masking hides on the way to w what the streams hide, and what becomes known later.
func (a *App) masking(w io.Writer) io.WriteCloser {
	return a.secrets.front(w)
}

// flush prints what the masks still hold back: the end of a text that might have
// been the beginning of a secret.
func (a *App) flush() {
	if a.secrets == nil {
		return // nothing was guarded yet
	}
	for _, w := range a.secrets.streams {
		_ = w.Close() // a stream that cannot be written to has nowhere to report it
	}
}

// idToken masks the token before anything can print it.
func (s masks) idToken(ctx context.Context, audience string) (string, error) {
	token, err := s.runner.IDToken(ctx, audience)
	if err != nil {
		return "", err
	}
	return token, s.add(token)
}
