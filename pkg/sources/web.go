package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/retry"
	"github.com/metapipe/metapipe/pkg/text"
)

// Bounds of what a service may answer.
const (
	maxAnswer    = 16 << 20  // bytes of one page
	maxAnswers   = 256 << 20 // of all of them
	maxPages     = 10_000
	maxCAFile    = 1 << 20
	maxRedirects = 5
	answerTime   = time.Minute
)

// web asks one server. Its errors name neither addresses nor headers, which may hold secrets.
type web struct {
	client    *http.Client
	rule      retry.Rule
	base      *url.URL
	userAgent string
	authorize func(*http.Request)
	read      int64 // bytes so far
}

var (
	errElsewhere = errors.New("it sends us to another server, which is refused")
	errPlain     = errors.New("the address has to begin with https://, since secrets and answers are not for everyone; http:// is for this machine alone")
)

func newWeb(c sourcesync.SourceConfig, o Options) (*web, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.User != nil {
		return nil, errors.New("url is no address of a service")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !retry.Near(base.Hostname())) {
		return nil, errPlain
	}
	config, err := tlsConfig(c, o.Dir)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true}
	w := &web{rule: o.rule(base.Hostname()), base: base, userAgent: o.UserAgent, authorize: func(*http.Request) {}}
	w.client = &http.Client{Transport: transport, Timeout: answerTime, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if !w.here(req.URL) {
			return errElsewhere
		}
		if len(via) > maxRedirects {
			return errors.New("it sends us in a circle")
		}
		return nil
	}}
	return w, nil
}

// tlsConfig trusts the certificates of ca_file, or those of the system.
func tlsConfig(c sourcesync.SourceConfig, dir string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return config, nil
	}
	raw, err := readFile(dir, c.CAFile, maxCAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(raw) {
		return nil, errors.New("ca_file holds no certificate")
	}
	return config, nil
}

// here reports whether an address is one of the same server.
func (w *web) here(u *url.URL) bool {
	return u.Scheme == w.base.Scheme && strings.EqualFold(u.Host, w.base.Host) && u.User == nil
}

// answer is one answer of the server.
type answer struct {
	status int
	header http.Header
	body   any
}

// get asks for a page, and again where that may help. With etag it may answer with 304.
func (w *web) get(ctx context.Context, u *url.URL, etag string) (answer, error) {
	if !w.here(u) {
		return answer{}, errElsewhere
	}
	var a answer
	err := w.rule.Do(ctx, func(ctx context.Context) (v retry.Verdict) {
		a, v = w.attempt(ctx, u, etag)
		return v
	})
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", w.base.Host, err)
	}
	return a, nil
}

func (w *web) attempt(ctx context.Context, u *url.URL, etag string) (answer, retry.Verdict) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return answer{}, retry.Verdict{Err: errors.New("url is no address of a service")}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", w.userAgent)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	w.authorize(req)
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, retry.Verdict{Err: withoutAddress(err), Again: ctx.Err() == nil && !permanent(err)}
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return a, retry.Verdict{}
	case resp.StatusCode != http.StatusOK:
		return a, w.rule.Classify(resp.StatusCode, resp.Header, fmt.Errorf("it answered with %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return a, retry.Verdict{Err: errors.New("it answered with something that is not JSON")}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil { // cut
		return a, retry.Verdict{Err: fmt.Errorf("its answer ended early: %w", withoutAddress(err)), Again: ctx.Err() == nil}
	}
	w.read += int64(len(raw))
	if len(raw) > maxAnswer || w.read > maxAnswers {
		return a, retry.Verdict{Err: fmt.Errorf("its answers have more than %d MiB, or one of them %d", maxAnswers>>20, maxAnswer>>20)}
	}
	a.body, err = decode(raw)
	return a, retry.Verdict{Err: err}
}

// withoutAddress is an error without the address that net/http puts in front of it.
func withoutAddress(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// permanent reports whether a request fails in the same way at the next time.
func permanent(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.Is(err, errElsewhere) || errors.As(err, &certificate)
}

// A link in the header Link, with its parameters, and one parameter.
// https://www.rfc-editor.org/rfc/rfc8288#section-3
var (
	linkForm      = text.Pattern(`<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)`)
	parameterForm = text.Pattern(`;\s*([^\s=;,"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))`)
)

// nextLink is the address of the next page in the header Link; nil where there is none. A header that cannot be
// read is an error: it may name one.
func nextLink(current *url.URL, h http.Header) (*url.URL, error) {
	for _, line := range h.Values("Link") {
		if rest := linkForm().ReplaceAllString(line, ""); strings.Trim(rest, ", \t") != "" {
			return nil, errors.New("its header Link cannot be read")
		}
		for _, link := range linkForm().FindAllStringSubmatch(line, -1) {
			for _, p := range parameterForm().FindAllStringSubmatch(link[2], -1) {
				isNext := func(relation string) bool { return strings.EqualFold(relation, "next") }
				if !strings.EqualFold(p[1], "rel") || !slices.ContainsFunc(strings.Fields(p[2]+p[3]), isNext) {
					continue
				}
				u, err := current.Parse(link[1])
				if err != nil {
					return nil, errors.New("the address of its next page is none")
				}
				return u, nil
			}
		}
	}
	return nil, nil
}
