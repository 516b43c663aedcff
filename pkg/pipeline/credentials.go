package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// removedMark stands where a credential was.
const removedMark = "(a credential was removed)"

// credentialForm is one form in which credentials are issued.
type credentialForm struct {
	what string
	form *regexp.Regexp
	// marks: where a text holds none of them, the form is not in it either. Looking for them
	// costs little, and a file has a megabyte.
	marks []string
	// What a removal leaves of the match, in the notation of regexp.Expand.
	before, after string
}

// credentialForms are looked for anywhere in a text, also behind a letter: a quoted line
// break ends with one. A private key may be cut off, so that its end is the end of the text.
// The id of an AWS access key is no secret by itself, but the secret is seldom far.
//
// No command but one that repeats text from outside pays for compiling them.
var credentialForms = sync.OnceValue(func() []credentialForm {
	return []credentialForm{
		{what: "a private key", form: regexp.MustCompile(`(?is)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)`), marks: []string{"-----"}},
		{what: "a JSON web token", form: regexp.MustCompile(`(?:eyJ|eyA|ewo|ew0|ewk)[A-Za-z0-9_-]{5,}\.{1,2}[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)+`), marks: []string{"eyJ", "eyA", "ewo", "ew0", "ewk"}},
		{what: "the id of an AWS access key", form: regexp.MustCompile(`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}`), marks: []string{"AKIA", "ASIA", "ABIA", "ACCA"}},
		{what: "a token of GitHub", form: regexp.MustCompile(`gh[pousr]_[A-Za-z0-9_]{16,}|github_pat_[A-Za-z0-9_]{16,}`), marks: []string{"gh", "github_pat_"}},
		{what: "a token of GitLab", form: regexp.MustCompile(`glpat-[A-Za-z0-9_-]{20,}`)},
		{what: "a token of Slack", form: regexp.MustCompile(`xox[abeprs]-[A-Za-z0-9-]{10,}`)},
		{what: "an API key of Google", form: regexp.MustCompile(`AIza[A-Za-z0-9_-]{35}`)},
		{what: "a key of Stripe", form: regexp.MustCompile(`[rs]k_live_[A-Za-z0-9]{16,}`), marks: []string{"k_live_"}},
		{
			what: "a token of a service",
			form: regexp.MustCompile(`(?:npm_|hv[sbr]\.|sk-(?:ant-|proj-|svcacct-)?|SG\.|dckr_(?:pat|oat)_|pypi-|do[opr]_v1_|xapp-|shp(?:at|ca|pa|ss)_|gl(?:rt|dt|ptt|ft|soat|cbt|agent)-|AGE-SECRET-KEY-1|lin_api_|pul-|sntrys_|dp\.[a-z]{2}\.)[A-Za-z0-9_=.-]{16,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{16,}`),
			marks: []string{"npm_", "hvs.", "hvb.", "hvr.", "sk-", "SG.", "dckr_", "pypi-", "_v1_", "xapp-", "shpat_", "shpca_", "shppa_", "shpss_", "glrt-", "gldt-",
				"glptt-", "glft-", "glsoat-", "glcbt-", "glagent-", "AGE-SECRET-KEY-1", "lin_api_", "pul-", "sntrys_", "dp.", ".atlasv1."},
		},
		{what: "the address of a webhook", form: regexp.MustCompile(`(hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_-]{16,}`), before: "$1", marks: []string{"hooks.slack.com"}},
		{what: "a password in a URL", form: regexp.MustCompile(`((?:\\*/){2})[^/@:\s]*:(?:[^\s"'<>]+|[^/\s]+)(@)`), before: "$1", after: "$2", marks: []string{"@"}},
	}
})

func (c credentialForm) mayBeIn(s string) bool {
	return len(c.marks) == 0 || slices.ContainsFunc(c.marks, func(mark string) bool { return strings.Contains(s, mark) })
}

// removedOnly are removed as well; they are too unsure to warn of. A user in a URL may be
// a token, and git is none. The third is the form of an AWS secret access key.
var removedOnly = sync.OnceValue(func() (p struct{ userInURL, authorization, longRun *regexp.Regexp }) {
	p.userInURL = regexp.MustCompile(`(://)([^/:\s]+)(@)`)
	p.authorization = regexp.MustCompile(`(?i)((?:authorization\\?["']?\s*[:=]\s*\\?["']?(?:[a-z]+\s+)?|bearer\s+|(?:x-)?api[_-]?key\\?["']?\s*[:=]\s*\\?["']?))[A-Za-z0-9._~+/=-]{8,}`)
	p.longRun = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[a-z])|[A-Za-z0-9/+]+`) // an escape is no part of a run
	return p
})

const (
	secretKeyLength = 40 // of an AWS secret access key
	keyLineLength   = 60 // the least of a line of a private key; they have 64 and more
)

// FindCredential says which kind of credential a text holds; found is false when none of
// the known forms is in it.
func FindCredential(s string) (what string, found bool) {
	for _, c := range credentialForms() {
		if c.mayBeIn(s) && c.form.MatchString(s) {
			return c.what, true
		}
	}
	return "", false
}

// WithoutCredentials replaces what looks like a credential in a text from outside. All
// text of a request that a refusal repeats goes through it. Applying it twice changes
// nothing.
func WithoutCredentials(s string) string {
	for _, c := range credentialForms() {
		if c.mayBeIn(s) {
			s = c.form.ReplaceAllString(s, c.before+removedMark+c.after)
		}
	}
	p := removedOnly()
	s = p.authorization.ReplaceAllString(s, "${1}"+removedMark)
	s = p.userInURL.ReplaceAllStringFunc(s, func(found string) string {
		if strings.HasSuffix(found, "://git@") {
			return found
		}
		return "://" + removedMark + "@"
	})
	return p.longRun.ReplaceAllStringFunc(s, withoutSecretKey)
}

// withoutSecretKey removes what has the form of an AWS secret access key from a run of its
// characters, or of a line of a private key. One of them is the slash, so a key may stand
// between the parts of a path.
func withoutSecretKey(run string) string {
	if len(run) >= keyLineLength && mixed(run, len(run)/8) {
		return removedMark
	}
	for start := 0; start+secretKeyLength <= len(run); start++ {
		end := start + secretKeyLength
		if start > 0 && run[start-1] != '/' || end < len(run) && run[end] != '/' {
			continue
		}
		if mixed(run[start:end], 1) {
			return run[:start] + removedMark + withoutSecretKey(run[end:])
		}
	}
	return run
}

// mixed reports a run with digits and at least that many capital and small letters. A
// digest in hexadecimal has one kind of letters, and the path of a file few capitals.
func mixed(run string, letters int) bool {
	digits, capitals, small := 0, 0, 0
	for _, c := range run {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'A' <= c && c <= 'Z':
			capitals++
		case 'a' <= c && c <= 'z':
			small++
		}
	}
	return digits > 0 && capitals >= letters && small >= letters
}

// The lengths to which text from outside is cut in a message, in bytes.
const (
	maxQuoted  = 200
	maxMessage = 2000
)

// Quote quotes text from outside in a message: without credentials, with control and
// format characters escaped, and cut at 200 bytes, with its length behind.
func Quote(s string) string { return quoteWith(strconv.Quote, s) }

// QuoteTyped is Quote for what has to be typed exactly, so that each byte of it shows: a
// letter of another alphabet is why it differs from the name.
func QuoteTyped(typed string) string { return quoteWith(strconv.QuoteToASCII, typed) }

// quoteWith removes credentials before it cuts: half of one has no known form.
func quoteWith(quote func(string) string, s string) string {
	clean := WithoutCredentials(s)
	if len(clean) <= maxQuoted {
		return quote(clean)
	}
	return fmt.Sprintf("%s... (%d bytes)", quote(cutBytes(clean, maxQuoted)), len(s))
}

// PublicMessage is the message of a refusal as it may be shown and kept: it may repeat
// text of the request that no Quote has seen, such as that of a JSON reader.
func PublicMessage(s string) string {
	s = WithoutCredentials(s)
	if len(s) <= maxMessage {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", cutBytes(s, maxMessage), len(s))
}

// Public are the problems without credentials: those of a file repeat its values.
func (ps Problems) Public() Problems {
	if ps == nil {
		return nil
	}
	public := make(Problems, len(ps))
	for i, p := range ps {
		p.File, p.Message, p.Remedy = WithoutCredentials(p.File), WithoutCredentials(p.Message), WithoutCredentials(p.Remedy)
		public[i] = p
	}
	return public
}

// PublicError is err with a PublicMessage in place of its words. errors.Is and errors.As
// find what is in it.
func PublicError(err error) error {
	if err == nil {
		return nil
	}
	message := PublicMessage(err.Error())
	if message == err.Error() {
		return err
	}
	return &publicError{message, err}
}

type publicError struct {
	message string
	err     error
}

func (e *publicError) Error() string { return e.message }

func (e *publicError) Unwrap() error { return e.err }
