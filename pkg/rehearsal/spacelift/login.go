package spacelift

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"
)

const tokenLife = 10 * time.Hour

func bearer(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

// apiKeyUser is the only field that needs no token: it gives one.
func apiKeyUser(q *query, args map[string]any) (any, *problem) {
	key, secret := q.s.keys[str(args, "id")], str(args, "secret")
	switch {
	case key == nil:
		return nil, unauthorized()
	case key.verify != nil:
		if key.verify(secret) != nil {
			return nil, unauthorized()
		}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(key.secret)) == 0:
		return nil, unauthorized()
	}
	life := q.s.TokenLife
	if life == 0 {
		life = tokenLife
	}
	until := q.s.now().Add(life).Truncate(time.Second)
	jwt := q.s.sign(key.id, until)
	q.s.tokens[jwt] = &token{key: key, until: until}
	return object{"id": "api::" + key.id, "jwt": jwt, "validUntil": until.Unix()}, nil
}

// sign is a new token; each one is another.
func (s *Server) sign(subject string, until time.Time) string {
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	body := part(object{"alg": "HS256", "typ": "JWT"}) + "." + part(object{"sub": "api::" + subject, "exp": until.Unix(), "jti": s.id("token")})
	mac := hmac.New(sha256.New, s.signing)
	mac.Write([]byte(body))
	return body + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// authenticated wraps a field that needs a token.
func authenticated(r resolver) resolver {
	return func(q *query, args map[string]any) (any, *problem) {
		if q.key() == nil {
			return nil, unauthorized()
		}
		return r(q, args)
	}
}

// key is the API key behind the request; nil without a valid token.
func (q *query) key() *apiKey {
	t := q.s.tokens[q.bearer]
	if t == nil || !q.s.now().Before(t.until) {
		return nil
	}
	return t.key
}

func viewer(q *query, _ map[string]any) (any, *problem) {
	k := q.key()
	return object{"id": "api::" + k.id, "name": k.id, "admin": k.rights.Admin}, nil
}

// str is an argument, or a member of an input, that is a text or an id; "" where there is
// none.
func str(args map[string]any, name string) string {
	switch v := args[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64: // an id may be a number
		raw, _ := json.Marshal(v)
		return string(raw)
	case int64:
		raw, _ := json.Marshal(v)
		return string(raw)
	}
	return ""
}

func flag(args map[string]any, name string) bool {
	v, _ := args[name].(bool)
	return v
}

// members are those of a list. A single value stands for a list of one, for which the parser
// makes a slice of the type of the value.
func members(args map[string]any, name string) []any {
	if list, isList := args[name].([]any); isList || args[name] == nil {
		return list
	}
	v := reflect.ValueOf(args[name])
	if v.Kind() != reflect.Slice {
		return []any{args[name]}
	}
	var list []any
	for i := range v.Len() {
		list = append(list, v.Index(i).Interface())
	}
	return list
}

// texts is a list of texts; never nil.
func texts(args map[string]any, name string) []string {
	out := []string{}
	for _, one := range members(args, name) {
		if text, isText := one.(string); isText {
			out = append(out, text)
		}
	}
	return out
}

// objects is a list of input objects.
func objects(args map[string]any, name string) []map[string]any {
	var out []map[string]any
	for _, one := range members(args, name) {
		if member, isObject := one.(map[string]any); isObject {
			out = append(out, member)
		}
	}
	return out
}

func input(args map[string]any, name string) map[string]any {
	v, _ := args[name].(map[string]any)
	return v
}
