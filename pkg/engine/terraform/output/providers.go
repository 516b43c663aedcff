package output

import (
	"fmt"
	"runtime"

	"github.com/metapipe/metapipe/pkg/text"
)

// The causes of a provider that could not be selected or installed. The summary of
// the tool covers all of them; its detail distinguishes them.
var (
	noChecksum  = text.Pattern(`doesn't match any of the checksums|checksums? .*(recorded|lock file)|locked checksums`)
	badDownload = text.Pattern(`unexpected SHA-256|incorrect hash|authentication signature|checksum mismatch|does not match (the )?expected|invalid signature|openpgp`)
	lockedOther = text.Pattern(`must use (terraform|tofu) init -upgrade|does not match configured version constraint|no version is selected|no longer (matches|required)|lock file is read-only|does not match the version (selections|constraint)`)
	lockedGone  = text.Pattern(`previously[- ]selected (package|version)? ?.*(no longer|not) (be )?(available|found)|locked version .* (no longer|not) available`)
	noRelease   = text.Pattern(`no available releases match|no versions? (of .*)?match|no suitable version|does not have any (available )?versions`)
	noPackage   = text.Pattern(`(not|no package) available for your current platform|does not have a package available`)
	noProvider  = text.Pattern(`does not have a provider named|no provider named|provider .* was not found in any of the search locations`)
	unreachable = text.Pattern(`(?i)dial tcp|no such host|connection (refused|reset)|timeout|timed out|deadline exceeded|network is unreachable|no route to host|[^/]\btls: |tls handshake|x509: |proxyconnect|unexpected EOF|: EOF|request failed after|too many requests|\b(429 Too|500 Internal|502 Bad|503 Service|504 Gateway)`)
)

// AboutProviders finds the summaries of what the tool says when it selects, installs
// or checks providers.
var AboutProviders = text.Pattern(`(?i)^failed to (query|resolve|install|update|retrieve) .*providers?\b|^incompatible provider version|dependency lock file|^provider dependency changes|^required plugins are not installed`)

// ProviderRemedy says what to do about a provider, from what the tool said in full.
// root is the directory of the root module in the manager.
func ProviderRemedy(output, tool, root string) string {
	output = text.OneLine(output) // the tool breaks lines
	commit := fmt.Sprintf(" in %s of the manager, and commit %s", root, LockFileName)
	platform := runtime.GOOS + "_" + runtime.GOARCH
	switch {
	case noChecksum().MatchString(output):
		return fmt.Sprintf("%s has no checksum of this provider for %s: run `%s providers lock -platform=%s` (with a -platform for each other one in use)%s", LockFileName, platform, tool, platform, commit)
	case noPackage().MatchString(output):
		return fmt.Sprintf("choose a version of the provider that has a package for %s in required_providers of the manager's code, or another runner", platform)
	case badDownload().MatchString(output):
		return "what was downloaded is not what its publisher signed: check the provider mirror, or whatever stands between the runner and the registry"
	case lockedGone().MatchString(output):
		return fmt.Sprintf("%s selects a version that the registry or the provider mirror no longer has: run `%s init -upgrade`%s, or put the version back into the mirror", LockFileName, tool, commit)
	case noRelease().MatchString(output):
		return fmt.Sprintf("no release of the provider fits the version constraints: change them in required_providers of the manager's code (%s, and the modules that it calls)", root)
	case lockedOther().MatchString(output):
		return fmt.Sprintf("%s selects other versions than the code asks for: run `%s init -upgrade`%s", LockFileName, tool, commit)
	case noProvider().MatchString(output):
		return "correct the source of the provider in required_providers of the manager's code, or add it to the provider mirror in the file that TF_CLI_CONFIG_FILE names"
	case unreachable().MatchString(output):
		return "the provider could not be downloaded: check the network of the runner, or configure a provider mirror in the file that TF_CLI_CONFIG_FILE names"
	}
	return ""
}
