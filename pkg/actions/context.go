// Package actions is the GitHub Actions runner as metapipe sees it: what the
// environment and the event file say, and where outputs, summaries, masks,
// annotations and ID tokens go or come from.
package actions

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Context is what the runner's environment says about the job. Outside of
// Actions only the two addresses are set.
type Context struct {
	InActions    bool
	EventName    string
	EventPath    string
	Repository   pipeline.Slug
	RepositoryID int64 // 0 when the runner does not say
	RunID        int64
	RunAttempt   int
	ServerURL    string // without a trailing slash
	APIURL       string // without a trailing slash
	SHA          pipeline.SHA
	Ref          string // full ref
	WorkflowRef  string // owner/name/path@ref; empty on old servers
	Job          string
	Actor        string // login of who caused the run's first attempt
	ActorID      int64  // id of Actor; 0 when the runner does not say
	// TriggeringActor is the login of who caused this attempt: on a re-run, who asked
	// for it. The runner does not give its id.
	TriggeringActor string
	Workspace       string
	RunnerTemp      string
	OutputFile      string
	SummaryFile     string
}

// The addresses of the public GitHub.
const (
	publicServer = "https://github.com"
	publicAPI    = "https://api.github.com"
)

// apiOf is where a server has its API, for a laptop that names only the server:
// https://docs.github.com/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api
// and https://docs.github.com/enterprise-cloud/admin/data-residency/network-details-for-ghecom
func apiOf(server string) string {
	u, err := url.Parse(server)
	switch {
	case err != nil || server == publicServer:
		return publicAPI
	case strings.HasSuffix(u.Host, ".ghe.com"):
		return u.Scheme + "://api." + u.Host
	}
	return server + "/api/v3"
}

// ReadContext reads the variables that the runner sets
// (https://docs.github.com/actions/reference/workflows-and-actions/variables).
// GITHUB_ACTIONS=true makes them count; then the ones that say which run this is
// must be there. Every bad value is named in the error, a *pipeline.UsageError.
func ReadContext(lookup func(string) (string, bool)) (Context, error) {
	r := &envReader{lookup: lookup}
	c := Context{
		InActions: r.text("GITHUB_ACTIONS") == "true",
		ServerURL: r.address("GITHUB_SERVER_URL", publicServer),
	}
	c.APIURL = r.address("GITHUB_API_URL", apiOf(c.ServerURL))
	if c.InActions {
		c.EventName = r.required("GITHUB_EVENT_NAME")
		c.EventPath = r.text("GITHUB_EVENT_PATH")
		c.Repository = parsed(r, r.required("GITHUB_REPOSITORY"), "GITHUB_REPOSITORY", pipeline.ParseSlug)
		c.RepositoryID = parsed(r, r.text("GITHUB_REPOSITORY_ID"), "GITHUB_REPOSITORY_ID", parseID)
		c.RunID = parsed(r, r.required("GITHUB_RUN_ID"), "GITHUB_RUN_ID", parseID)
		c.RunAttempt = int(parsed(r, r.text("GITHUB_RUN_ATTEMPT"), "GITHUB_RUN_ATTEMPT", parseID))
		c.SHA = parsed(r, r.required("GITHUB_SHA"), "GITHUB_SHA", pipeline.ParseSHA)
		c.Ref = parsed(r, r.text("GITHUB_REF"), "GITHUB_REF", parseRef)
		c.WorkflowRef = r.text("GITHUB_WORKFLOW_REF")
		c.Job = r.text("GITHUB_JOB")
		c.Actor = r.text("GITHUB_ACTOR")
		c.ActorID = parsed(r, r.text("GITHUB_ACTOR_ID"), "GITHUB_ACTOR_ID", parseID)
		c.TriggeringActor = r.text("GITHUB_TRIGGERING_ACTOR")
		c.Workspace = r.text("GITHUB_WORKSPACE")
		c.RunnerTemp = r.text("RUNNER_TEMP")
		c.OutputFile = r.text("GITHUB_OUTPUT")
		c.SummaryFile = r.text("GITHUB_STEP_SUMMARY")
	}
	if c.InActions && c.RunAttempt == 0 {
		c.RunAttempt = 1
	}
	if err := errors.Join(r.errs...); err != nil {
		return Context{}, pipeline.Usagef("read the environment of the runner").Because(err).
			Nextf("these variables are set by GitHub Actions; unset GITHUB_ACTIONS to run outside of it")
	}
	return c, nil
}

// Run is the workflow run as the environment names it; zero outside of Actions.
// When it was created only GitHub knows.
func (c Context) Run() pipeline.Run {
	if !c.InActions {
		return pipeline.Run{}
	}
	return pipeline.Run{Repository: c.Repository, ID: c.RunID, Attempt: c.RunAttempt, URL: c.RunURL(), RepositoryID: c.RepositoryID}
}

// RunURL is the page of the run; empty outside of Actions.
func (c Context) RunURL() string {
	if !c.InActions {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%d", c.ServerURL, c.Repository, c.RunID)
}

type envReader struct {
	lookup func(string) (string, bool)
	errs   []error
}

func (r *envReader) bad(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
}

func (r *envReader) text(name string) string {
	v, _ := r.lookup(name)
	if strings.ContainsFunc(v, unicode.IsControl) {
		r.bad(name, errors.New("holds control characters"))
		return ""
	}
	return v
}

func (r *envReader) required(name string) string {
	v := r.text(name)
	if v == "" {
		r.bad(name, errors.New("is not set"))
	}
	return v
}

func (r *envReader) address(name, standard string) string {
	v := r.text(name)
	if v == "" {
		return standard
	}
	u, err := parseAddress(v)
	if err != nil {
		r.bad(name, err)
		return standard
	}
	return strings.TrimRight(u.String(), "/")
}

// parsed applies parse to a value that is there.
func parsed[T any](r *envReader, v, name string, parse func(string) (T, error)) T {
	var zero T
	if v == "" {
		return zero
	}
	t, err := parse(v)
	if err != nil {
		r.bad(name, err)
		return zero
	}
	return t
}

// parseAddress takes https addresses, and http ones of this very machine:
// tokens travel to them.
func parseAddress(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("is not an absolute http(s) URL")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("is not https")
	}
	return u, nil
}

func parseID(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%s is not a positive number", pipeline.Quote(s))
	}
	return n, nil
}

// forbiddenInRef is what git does not allow in a ref (git help
// check-ref-format); other characters are refused by parseRef itself.
var forbiddenInRef = text.Pattern(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|^/|\.$|\.lock(/|$)|(^|/)\.`)

// parseRef checks a full ref such as "refs/heads/main" or "refs/pull/7/merge".
func parseRef(s string) (string, error) {
	if !strings.HasPrefix(s, "refs/") || len(s) > 1024 || forbiddenInRef().MatchString(s) {
		return "", fmt.Errorf("%s is not a full git ref", pipeline.Quote(s))
	}
	return s, nil
}

// parseBranch checks the short name of a branch.
func parseBranch(s string) (string, error) {
	if s == "" || strings.HasPrefix(s, "-") {
		return "", fmt.Errorf("%s is not a branch", pipeline.Quote(s))
	}
	if _, err := parseRef("refs/heads/" + s); err != nil {
		return "", fmt.Errorf("%s is not a branch", pipeline.Quote(s))
	}
	return s, nil
}
