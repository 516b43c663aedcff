package output

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/text"
)

// AboutModules finds the summaries of what the tool says when it installs modules.
var AboutModules = text.Pattern(`(?i)^failed to (download|install) module|^error accessing (remote )?module registry|^error accessing remote module registry|^module not found|^unreadable module|^unresolvable module version|^invalid (module source|response from remote module registry)|^registry does not support`)

var (
	moduleNamed = text.Pattern(`(?is)module "([^"]+)"(?: \((?:from )?| at )([^\s():]+):(\d+)`)
	moduleFrom  = text.Pattern(`(?:source code from|registry at|from) "?([^\s",]+[^\s",.:])`)
	password    = text.Pattern(`//([^/:@\s]*):[^/@\s]*@`)
)

// The causes of a module that could not be fetched.
var (
	noDirectory  = text.Pattern(`(?i)unreadable module|source path error|no such file or directory`)
	noProgram    = text.Pattern(`(?i)(git|hg|\S+) must be available and on the PATH|executable file not found`)
	noReference  = text.Pattern(`(?i)pathspec|remote branch .* not found|couldn't find remote ref|unknown revision|not a valid (ref|object)|reference .*not found`)
	noAccess     = text.Pattern(`(?i)authentication failed|could not read (username|password)|permission denied|host key verification failed|nocredentialproviders|terminal prompts disabled|\b40[13]\b|unauthorized|forbidden|access denied`)
	noModule     = text.Pattern(`(?i)repository .*not found|does not exist|\b404\b|cannot be found|not found`)
	noVersion    = text.Pattern(`(?i)unresolvable module version|no version.*match|no available version|does not match`)
	gitNoNetwork = text.Pattern(`(?i)could not resolve host|failed to connect|couldn't connect|could not connect|connection timed out|network is unreachable|name or service not known`)
)

// ModuleCall is the call of a module that could not be installed, as far as the tool
// names it.
type ModuleCall struct {
	Name, File, Line string
	From             string // the address, without a password
}

// ModuleOf reads the call from what the tool said; false when it names none.
func ModuleOf(output string) (ModuleCall, bool) {
	output = text.OneLine(output)
	m := moduleNamed().FindStringSubmatchIndex(output)
	if m == nil {
		return ModuleCall{}, false
	}
	call := ModuleCall{Name: output[m[2]:m[3]], File: output[m[4]:m[5]], Line: output[m[6]:m[7]]}
	if from := moduleFrom().FindStringSubmatch(output[m[1]:]); from != nil {
		call.From = password().ReplaceAllString(from[1], "//$1@")
	}
	return call, true
}

// ModuleRemedy says what to do about a module that could not be installed, from what the
// tool said in full. place is that of the call, and source what the code says there;
// either may be empty.
func ModuleRemedy(output string, call ModuleCall, place, source string) string {
	output = text.OneLine(output)
	what := "the module"
	if call.Name != "" {
		what = fmt.Sprintf("module %q", call.Name)
	}
	at := ""
	if place != "" {
		at = " at " + place
	}
	from := call.From
	if from == "" {
		from = password().ReplaceAllString(source, "//$1@")
	}
	if from == "" {
		from = "its source"
	}
	fetched := fmt.Sprintf("%s could not be fetched from %s", what, from)
	switch {
	case noProgram().MatchString(output):
		return fetched + ": install the program that the source needs (git, for example) on the runner"
	case noDirectory().MatchString(output) && !unreachable().MatchString(output) && !noAccess().MatchString(output):
		return fmt.Sprintf("the directory %s of %s does not exist or cannot be read: correct `source`%s", from, what, at)
	case noReference().MatchString(output):
		return fmt.Sprintf("%s: the branch, tag or commit does not exist: correct `ref` in `source`%s", fetched, at)
	case gitNoNetwork().MatchString(output) || unreachable().MatchString(output):
		return fetched + ": check the network of the runner (DNS, proxy, firewall), its credentials for that address, and `source`" + at
	case noAccess().MatchString(output):
		return fetched + ": the runner has no access: give it credentials for that address (a deploy key or a token, with read access)"
	case noVersion().MatchString(output):
		return fmt.Sprintf("no version of %s in the registry fits: correct `version`%s", what, at)
	case noModule().MatchString(output):
		return fmt.Sprintf("%s: it does not exist there, or the runner has no access: correct `source`%s, or give the runner credentials", fetched, at)
	}
	return fmt.Sprintf("%s: check the network of the runner, its credentials for that address, and `source`%s", fetched, at)
}
