package untrusted

import (
	"encoding/base64"
	"strings"
)

// Credential is an invented credential.
type Credential struct {
	Text   string // as someone puts it into a field
	Secret string // the part of it that nothing may show
	Inside bool   // it is found between letters too
}

// Credentials are one or more of each form that a refusal must not repeat, by name. They
// are put together here, so that no scanner of secrets takes this file for a leak.
func Credentials() map[string]Credential {
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	jwt := func(header string) Credential {
		secret := segment(`{"sub":"repo:acme/app"}`)
		return Credential{Text: segment(header) + "." + secret + "." + segment("signature of sixteen"), Secret: secret, Inside: true}
	}
	token := func(prefix, rest string) Credential {
		return Credential{Text: prefix + rest, Secret: rest, Inside: true}
	}
	letters := strings.Repeat("Ab3dE6", 6)
	pem := func(kind, lineEnd, end string) Credential {
		key := strings.Repeat("MIIEvQIBADANb9k4", 4)
		return Credential{Text: "-----BEGIN " + kind + "PRIVATE KEY-----" + lineEnd + key + lineEnd + end, Secret: key[:24]}
	}
	return map[string]Credential{
		"JSON web token":              jwt(`{"alg":"RS256"}`),
		"JSON web token with a blank": jwt(`{ "alg":"RS256" }`),
		"JSON web token with a line":  jwt("{\n\"alg\":\"RS256\"}"),
		"classic token":               token("ghp_", letters),
		"OAuth token":                 token("gho_", letters),
		"user token":                  token("ghu_", letters),
		"installation token":          token("ghs_", letters),
		"refresh token":               token("ghr_", letters+letters),
		"fine-grained token":          token("github_pat_", "11ABCDEFG0"+letters),
		"AWS key id":                  token("AKIA", "QYLPMN5HFIQR7XYZ"),
		"AWS session key id":          token("ASIA", "QYLPMN5HFIQR7XYZ"),
		"AWS secret key":              {Text: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Secret: "K7MDENG"},
		"GitLab token":                token("glpat-", letters),
		"Slack token":                 token("xoxb-", "123456789012-"+letters),
		"Google key":                  token("AIza", letters[:35]),
		"Stripe key":                  token("sk_live_", letters),
		"URL with a password":         {Text: "https://deploy:hunter2hunter2@git.example/app", Secret: "hunter2"},
		"URL with a sign in it":       {Text: "https://deploy:first@hunter2hunter2@git.example/app", Secret: "hunter2"},
		"URL with a user only":        {Text: "https://Q7w8E9r0T1y2@git.example/app", Secret: "Q7w8E9r0T1y2"},
		"URL without a user":          {Text: "postgres://:hunter2hunter2@db.example:5432/app", Secret: "hunter2"},
		"URL with a slash in it":      {Text: "https://casey:hun/ter2hunter2@git.example/app", Secret: "ter2hunter2"},
		"URL with a quote in it":      {Text: `https://casey:hun'ter2<hunter2@git.example/app`, Secret: "ter2<hunter2"},
		"URL without a scheme":        {Text: "//deploy:hunter2hunter2@git.example/app", Secret: "hunter2"},
		"URL with escaped slashes":    {Text: `https:\/\/deploy:hunter2hunter2@git.example`, Secret: "hunter2"},
		"JSON web token, encrypted":   {Text: segment(`{"alg":"dir"}`) + ".." + letters + "." + letters + ".AAAA", Secret: letters, Inside: true},
		"npm token":                   token("npm_", letters),
		"Vault token":                 token("hvs.", letters),
		"Anthropic key":               token("sk-ant-", letters),
		"OpenAI key":                  token("sk-proj-", letters),
		"SendGrid key":                token("SG.", letters),
		"Docker token":                token("dckr_pat_", letters),
		"PyPI token":                  token("pypi-", letters),
		"DigitalOcean token":          token("dop_v1_", letters),
		"Slack app token":             token("xapp-", letters),
		"Shopify token":               token("shpat_", letters),
		"GitLab runner token":         token("glrt-", letters),
		"age key":                     token("AGE-SECRET-KEY-1", letters),
		"Slack webhook":               {Text: "https://hooks.slack.com/services/T0AB1CD2E/B0AB1CD2E/" + letters, Secret: letters},
		"API key in a header":         {Text: "X-Api-Key: 0a1b2c3d4e5f6a7b8c9d", Secret: "0a1b2c3d4e5f6a7b8c9d"},
		"header":                      {Text: "Authorization: Basic dXNlcjpodW50ZXIy", Secret: "dXNlcjpodW50ZXIy"},
		"bearer":                      {Text: "bearer 0a1b2c3d4e5f6a7b8c9d", Secret: "0a1b2c3d4e5f6a7b8c9d"},
		"private key":                 pem("", "\n", "-----END PRIVATE KEY-----"),
		"RSA key":                     pem("RSA ", "\n", "-----END RSA PRIVATE KEY-----"),
		"EC key on one line":          pem("EC ", `\n`, "-----END EC PRIVATE KEY-----"),
		"OpenSSH key, cut off":        pem("OPENSSH ", "\r\n", ""),
	}
}
