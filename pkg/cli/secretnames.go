package cli

import (
	"slices"
	"strings"
)

// What the names of secrets are made of, and the ends of names that only say
// where a secret is, or whose, or count something about it.
var (
	secretWords = []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "PASSKEY", "CREDENTIAL", "APIKEY", "AUTHKEY", "WEBHOOK", "MNEMONIC"}
	// As a part of a name between underscores, or at its end.
	secretParts = []string{"PAT", "PWD", "DSN", "PASS", "PW", "AUTH", "PIN", "CRED", "CREDS", "JWT", "SAS", "PSK", "SEED", "OTP", "TOTP",
		"HMAC", "SALT", "PEPPER", "COOKIE", "SIG", "SIGNATURE"}
	secretEnds = []string{"PASS", "PWD"}
	// Keys are secret but for these, which are public or only name something.
	harmlessKeys = []string{"PUBLIC_KEY", "PUBKEY", "KMS_KEY", "KEY_VAULT", "KEYVAULT", "KEY_RING", "KEYRING", "CACHE_KEY", "SORT_KEY",
		"PARTITION_KEY", "HASH_KEY", "RANGE_KEY", "FOREIGN_KEY", "STATE_KEY", "OBJECT_KEY", "BUCKET_KEY", "S3_KEY", "LOCK_KEY", "TAG_KEY", "LABEL_KEY"}
	harmlessEnds = []string{"_FILE", "_PATH", "_DIR", "_URL", "_URI", "_ADDR", "_ADDRESS", "_HOST", "_ENDPOINT", "_SITE", "_REGION", "_ARN",
		"_ID", "_NAME", "_USER", "_USERNAME", "_ORG", "_TYPE", "_TTL", "_PROFILE", "_NAMESPACE", "_ASKPASS", "_SOCK", "_SOCKET"}
	// Names of the shell: the working directory is in most of what we print.
	harmlessNames = []string{"PWD", "OLDPWD"}
	// Ends that are harmless where the value is a number.
	countingEnds = []string{"_LENGTH", "_LEN", "_SIZE", "_COUNT", "_VERSION", "_PORT", "_DAYS", "_HOURS", "_MINUTES", "_SECONDS", "_EXPIRY", "_ROTATION"}
	// Names that end harmlessly and are secrets all the same: who knows the id of a
	// secret of Vault's AppRole, or the address of a webhook, needs nothing else.
	secretAllTheSame = []string{"SECRET_ID", "WEBHOOK_URL", "WEBHOOK_URI", "WEBHOOK_ADDRESS", "WEBHOOK_ENDPOINT"}
)

func endsInAny(name string, ends []string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
}

// namedSecret reports whether a variable is a secret by its name. It matches
// whole families, since every provider has names of its own.
func namedSecret(name string) bool {
	upper := strings.ToUpper(name)
	if endsInAny(upper, secretAllTheSame) {
		return true
	}
	if endsInAny(upper, harmlessEnds) || slices.Contains(harmlessNames, upper) {
		return false
	}
	return namesKey(upper) || endsInAny(upper, secretEnds) || slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(upper, word) }) ||
		slices.ContainsFunc(strings.Split(upper, "_"), func(part string) bool { return slices.Contains(secretParts, part) })
}

// namesKey reports a name such as STORAGE_KEY, TS_AUTHKEY or SECRET_KEY_BASE. KEY alone
// says nothing: tags have members of that name.
func namesKey(upper string) bool {
	whole := "_" + upper + "_"
	for _, harmless := range harmlessKeys {
		whole = strings.ReplaceAll(whole, "_"+harmless+"_", "_")
	}
	parts := strings.FieldsFunc(whole, func(r rune) bool { return r == '_' || '0' <= r && r <= '9' })
	return slices.ContainsFunc(parts, func(part string) bool {
		part = strings.TrimSuffix(part, "S")
		return part == "KEY" && len(parts) > 1 || len(part) > len("KEY") && strings.HasSuffix(part, "KEY")
	})
}
