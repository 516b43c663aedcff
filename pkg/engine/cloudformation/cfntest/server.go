package cfntest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// apiError is an answer that refuses a request.
type apiError struct {
	Status        int
	Code, Message string
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

// The credentials that the server knows: an access key for each of two accounts.
const (
	AccessKey  = "AKIAIOSFODNN7EXAMPLE"
	OtherKey   = "AKIAIOSFODNN7EXAMPLF"
	ExpiredKey = "ASIAIOSFODNN7EXPIRED"
	SecretKey  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	Account    = "123456789012"
	Region     = "eu-central-1"
)

var accounts = map[string]string{AccessKey: Account, OtherKey: "210987654321"}

// Cloud is CloudFormation in all regions of some accounts.
type Cloud struct {
	URL string

	mu     sync.Mutex
	t      testing.TB
	server *httptest.Server
	places map[string]*place // by account and region
	model  *Model
	clock  time.Time
	ids    int

	admitted  string // one more access key of Account
	calls     []string
	throttles int
	denied    map[string]bool
	held      map[string]chan struct{} // by logical ID
	reached   map[string]bool
	failing   map[string]string
	stuck     map[string]bool // resources whose rollback fails
	dropped   map[string]int  // answers of actions that get lost
	dead      bool
	delayed   string            // the status that change sets stay in
	parameter map[string]string // Parameter Store
	secret    map[string]string // Secrets Manager
	loose     map[string]bool   // physical names that no stack has
	PageSize  int
	// Eager: change sets are ready at the first look. Clients that wait half a minute between two looks need that.
	Eager bool
	// Latency is how long each answer takes.
	Latency time.Duration
}

// place is one account in one region.
type place struct {
	account, region string
	stacks          []*stack // the newest of a name counts
}

// New starts a server that ends with the test. Each request and answer is compared with the model of the service where
// that is installed.
func New(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{t: t, places: map[string]*place{}, model: FindModel(), clock: time.Now().UTC().Truncate(time.Millisecond), denied: map[string]bool{}, held: map[string]chan struct{}{},
		reached: map[string]bool{}, failing: map[string]string{}, stuck: map[string]bool{}, dropped: map[string]int{}, parameter: map[string]string{}, secret: map[string]string{}, loose: map[string]bool{}, PageSize: 3}
	c.server = httptest.NewServer(c)
	c.URL = c.server.URL
	running.Store(c.URL, c)
	t.Cleanup(func() {
		c.mu.Lock()
		for name := range c.held {
			c.release(name)
		}
		c.mu.Unlock()
		c.server.Close()
	})
	return c
}

// Environ are the variables that lead a client to the server.
func (c *Cloud) Environ() []string {
	return []string{"AWS_ENDPOINT_URL_CLOUDFORMATION=" + c.URL, "AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_REGION=" + Region,
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true"}
}

// Admit takes another access key for one of Account: that of another service which the client uses too.
func (c *Cloud) Admit(accessKey string) { c.set(func() { c.admitted = accessKey }) }

// now is later at each call, by a millisecond at least, as no two updates of a stack have the same time.
func (c *Cloud) now() time.Time {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if !now.After(c.clock) {
		now = c.clock.Add(time.Millisecond)
	}
	c.clock = now
	return now
}

func (c *Cloud) unique() string {
	c.ids++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", c.ids, c.ids)
}

// Calls are the actions that were asked for since Forget, in order.
func (c *Cloud) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Forget drops the calls.
func (c *Cloud) Forget() { c.set(func() { c.calls = nil }) }

// Throttle lets the next n requests fail with Throttling.
func (c *Cloud) Throttle(n int) { c.set(func() { c.throttles = n }) }

// Deny refuses an action.
func (c *Cloud) Deny(action string) { c.set(func() { c.denied[action] = true }) }

// Hold lets each operation wait at a resource.
func (c *Cloud) Hold(logical string) { c.set(func() { c.held[logical] = make(chan struct{}) }) }

// Release lets operations go on at a resource.
func (c *Cloud) Release(logical string) { c.set(func() { c.release(logical) }) }

func (c *Cloud) release(logical string) {
	if held, is := c.held[logical]; is {
		close(held)
		delete(c.held, logical)
	}
}

// Reached reports whether an operation waits at a resource.
func (c *Cloud) Reached(logical string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached[logical]
}

// Fail lets a resource fail. The value of its properties stands in the place of %s.
func (c *Cloud) Fail(logical, reason string) { c.set(func() { c.failing[logical] = reason }) }

// Mend ends Fail.
func (c *Cloud) Mend(logical string) { c.set(func() { delete(c.failing, logical) }) }

// FailRollback lets the rollback of a resource fail, too.
func (c *Cloud) FailRollback(logical string) { c.set(func() { c.stuck[logical] = true }) }

// Drop lets n answers of an action get lost, after it was carried out.
func (c *Cloud) Drop(action string, n int) { c.set(func() { c.dropped[action] = n }) }

// Delay lets change sets stay in a status.
func (c *Cloud) Delay(status string) { c.set(func() { c.delayed = status }) }

// Die ends the server as a network that is gone.
func (c *Cloud) Die() { c.set(func() { c.dead = true }) }

// SetParameter writes to Parameter Store, and SetSecret to Secrets Manager.
func (c *Cloud) SetParameter(name, value string) { c.set(func() { c.parameter[name] = value }) }

// Exist lets a resource be there that no stack has.
func (c *Cloud) Exist(physical string) { c.set(func() { c.loose[physical] = true }) }

// SetSecret writes to Secrets Manager.
func (c *Cloud) SetSecret(name, value string) { c.set(func() { c.secret[name] = value }) }

func (c *Cloud) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *Cloud) lookup(name string) (string, bool) {
	v, ok := c.parameter[name]
	return v, ok
}

// resolve looks a dynamic reference up.
func (c *Cloud) resolve(what string) (string, error) {
	service, name, _ := strings.Cut(what, ":")
	var value string
	var is bool
	switch service {
	case "ssm", "ssm-secure":
		name, _, _ = strings.Cut(name, ":")
		value, is = c.parameter[name]
	case "secretsmanager":
		name, _, _ = strings.Cut(name, ":SecretString")
		value, is = c.secret[name]
	}
	if !is {
		return "", validation("Could not resolve dynamic reference %s", what)
	}
	return value, nil
}

var scopeOf = regexp.MustCompile(`Credential=([A-Za-z0-9-]+)/[0-9]{8}/([a-z0-9-]+)/cloudformation/aws4_request`)

// ServeHTTP implements http.Handler.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(c.Latency)
	if err := r.ParseForm(); err != nil {
		panic(http.ErrAbortHandler) // the client has gone in the middle of its request
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		panic(http.ErrAbortHandler)
	}
	form := r.PostForm
	action := form.Get("Action")
	result, err := c.serve(r, action, form)
	status, body := http.StatusOK, answerOf(action, result, c.unique())
	var refused *apiError
	if errors.As(err, &refused) {
		status, body = refused.Status, errorOf(refused, c.unique())
	} else if err != nil {
		c.t.Errorf("%s: %v", action, err)
		status, body = 500, errorOf(&apiError{Code: "InternalFailure", Message: err.Error()}, c.unique())
	}
	if c.model != nil {
		problems := c.model.CheckRequest(action, form)
		if refused == nil && err == nil {
			problems = append(problems, c.model.CheckAnswer(action, body)...)
		}
		for _, p := range problems {
			c.t.Errorf("%s is not as the model of the service says: %s", action, p)
		}
	}
	if c.dropped[action] > 0 && err == nil {
		c.dropped[action]--
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs none
}

func (c *Cloud) serve(r *http.Request, action string, form url.Values) (any, error) {
	found := scopeOf.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return nil, &apiError{403, "MissingAuthenticationToken", "Missing Authentication Token"}
	}
	if found[1] == ExpiredKey {
		return nil, &apiError{403, "ExpiredToken", "The security token included in the request is expired"}
	}
	account, known := accounts[found[1]]
	if !known && found[1] == c.admitted {
		account, known = Account, true
	}
	if !known {
		return nil, &apiError{403, "InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	if c.throttles > 0 {
		c.throttles--
		return nil, &apiError{400, "Throttling", "Rate exceeded"}
	}
	c.calls = append(c.calls, action)
	if c.denied[action] {
		return nil, &apiError{403, "AccessDenied", fmt.Sprintf("User: arn:aws:sts::%s:assumed-role/ci/run is not authorized to perform: cloudformation:%s", account, action)}
	}
	key := account + "/" + found[2]
	if c.places[key] == nil {
		c.places[key] = &place{account: account, region: found[2]}
	}
	handle, supported := actions[action]
	if !supported || form.Get("Version") != "2010-05-15" {
		return nil, &apiError{400, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", action, form.Get("Version"))}
	}
	return handle(c, c.places[key], form)
}

// object is an answer: the members that are nil are left out.
type object map[string]any

// answerOf is an answer as XML.
func answerOf(action string, result any, id string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<%sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">`, action)
	if result != nil {
		write(&b, action+"Result", result)
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", id, action)
	return []byte(b.String())
}

func errorOf(e *apiError, id string) []byte {
	var b strings.Builder
	b.WriteString(`<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">`)
	write(&b, "Error", object{"Type": "Sender", "Code": e.Code, "Message": e.Message})
	fmt.Fprintf(&b, "<RequestId>%s</RequestId></ErrorResponse>", id)
	return []byte(b.String())
}

func write(b *strings.Builder, name string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case object:
		fmt.Fprintf(b, "<%s>", name)
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			write(b, key, v[key])
		}
		fmt.Fprintf(b, "</%s>", name)
	case []object:
		fmt.Fprintf(b, "<%s>", name)
		for _, item := range v {
			write(b, "member", item)
		}
		fmt.Fprintf(b, "</%s>", name)
	case []string:
		fmt.Fprintf(b, "<%s>", name)
		for _, item := range v {
			write(b, "member", item)
		}
		fmt.Fprintf(b, "</%s>", name)
	case time.Time:
		if v.IsZero() {
			return
		}
		fmt.Fprintf(b, "<%s>%s</%s>", name, v.Format("2006-01-02T15:04:05.000Z"), name)
	case string:
		if v == "" {
			return
		}
		fmt.Fprintf(b, "<%s>", name)
		_ = xml.EscapeText(b, []byte(v)) // a strings.Builder takes everything
		fmt.Fprintf(b, "</%s>", name)
	default:
		fmt.Fprintf(b, "<%s>%v</%s>", name, v, name)
	}
}

// list reads the members of a list of the query protocol.
func list(form url.Values, name string) []string {
	var all []string
	for i := 1; form.Has(fmt.Sprintf("%s.member.%d", name, i)); i++ {
		all = append(all, form.Get(fmt.Sprintf("%s.member.%d", name, i)))
	}
	return all
}

// pairs reads a list of structures with a key and a value.
func pairs(form url.Values, name, key, value string) map[string]string {
	all := map[string]string{}
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("%s.member.%d.", name, i)
		if !form.Has(prefix + key) {
			return all
		}
		all[form.Get(prefix+key)] = form.Get(prefix + value)
	}
}

// page cuts a list of an answer into pages; token is the index that the next one begins at.
func page(c *Cloud, form url.Values, all []object) (some []object, token string) {
	start := 0
	if _, err := fmt.Sscan(form.Get("NextToken"), &start); err != nil {
		start = 0
	}
	start = min(start, len(all))
	end := min(start+c.PageSize, len(all))
	if end < len(all) {
		token = fmt.Sprint(end)
	}
	return all[start:end], token
}

// running are the servers by their addresses.
var running sync.Map

// At is the server with an address; nil where there is none.
func At(url string) *Cloud {
	c, _ := running.Load(url)
	cloud, _ := c.(*Cloud)
	return cloud
}
