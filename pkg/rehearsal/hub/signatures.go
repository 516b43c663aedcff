package hub

import (
	"fmt"
	"strings"
	"time"
)

func (r *Repo) signature(login string, at time.Time) (Signature, error) {
	if login == "" {
		login = r.owner
	}
	u, err := r.s.user(login)
	if err != nil {
		return Signature{}, err
	}
	if at.IsZero() {
		at = r.s.clock()
	}
	name, email := u.Name, u.Email
	if name == "" {
		name = u.Login
	}
	if email == "" {
		email = fmt.Sprintf("%d+%s@users.noreply.github.com", u.ID, u.Login)
	}
	return Signature{Name: name, Email: email, When: at}, nil
}

// accountOf finds the account behind a signature, by its own address or the one
// that GitHub gives to accounts without.
func (s *Server) accountOf(sig Signature) *User {
	if u := s.userByEmail(sig.Email); u != nil {
		return u
	}
	rest, private := strings.CutSuffix(sig.Email, "@users.noreply.github.com")
	if !private {
		return nil
	}
	_, login, _ := strings.Cut(rest, "+")
	return s.users[strings.ToLower(login)]
}

func unsigned() object {
	return object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

func viewSignature(s Signature) object {
	return object{"name": s.Name, "email": s.Email, "date": stamp(s.When)}
}
