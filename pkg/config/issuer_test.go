package config

import "testing"

func TestIssuer(t *testing.T) {
	t.Parallel()
	for issuer, good := range map[string]bool{
		"https://token.actions.githubusercontent.com":        true,
		"https://token.actions.githubusercontent.com/acme":   true,
		"https://ghes.example:8443/_services/token":          true,
		"https://token.actions.acme.ghe.com":                 true,
		"http://127.0.0.1:1/_services/token":                 false,
		"https://token.actions.githubusercontent.com/":       false,
		"https://Token.actions.githubusercontent.com":        false,
		"HTTPS://token.actions.githubusercontent.com":        false,
		"https://robin@token.actions.githubusercontent.com":  false,
		"https://token.actions.githubusercontent.com?x":      false,
		"https://token.actions.githubusercontent.com/#x":     false,
		"https://token.actions.githubusercontent.com/%61cme": false,
		"https://":                                false,
		"token.actions.githubusercontent.com":     false,
		"https://token.actions.example\\u0000/x":  false,
		"https://token.actions.example/ a":        false,
		"https://token.actions.example/\\u202eab": false,
	} {
		m, problems := ParseManager([]byte("environments: [{name: staging}]\nissuer: \"" + issuer + "\"\n"))
		if (problems.Err() == nil) != good || good && m.Issuer != issuer {
			t.Errorf("%s: %q, %v", issuer, m.Issuer, problems)
		}
	}
}
