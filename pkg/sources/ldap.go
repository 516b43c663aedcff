package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/retry"
)

const (
	defaultEntries = 500 // of a page
	dialTime       = 15 * time.Second
	searchTime     = time.Minute
)

// openLDAP reads a directory of people, such as Active Directory or OpenLDAP.
func openLDAP(c sourcesync.SourceConfig, o Options) (sourcesync.Source, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" {
		return nil, errors.New("url is no address of a directory: write ldaps://HOST")
	}
	if u.Scheme == "ldap" && !c.StartTLS && !retry.Near(u.Hostname()) {
		return nil, errors.New("the password would be sent in clear: write ldaps://, or start_tls: true")
	}
	d := &directory{config: c, url: u, rule: o.rule(u.Hostname()), user: c.BindDN, dir: o.Dir}
	if c.UserEnv != "" {
		if d.user, err = o.secret(c.UserEnv); err != nil {
			return nil, err
		}
	}
	if c.PasswordEnv != "" {
		if d.password, err = o.secret(c.PasswordEnv); err != nil {
			return nil, err
		}
	}
	if (d.user == "") != (d.password == "") { // servers take a name without a password for no one, and say that all is well
		return nil, errors.New("only one of the name and the password is given: set both, or neither")
	}
	return whole(d.all), nil
}

type directory struct {
	config         sourcesync.SourceConfig
	url            *url.URL
	rule           retry.Rule
	user, password string
	dir            string
}

// all reads the entries. Every attempt has a connection and requests of its own: a request that is used again
// holds the place at which the former one has stopped, and the server leaves out what comes before it.
func (d *directory) all(ctx context.Context) (records []sourcesync.Record, err error) {
	err = d.rule.Do(ctx, func(ctx context.Context) retry.Verdict {
		records, err = d.attempt(ctx)
		return retry.Verdict{Err: err, Again: ctx.Err() == nil && (errors.Is(err, errLost) || ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable))}
	})
	if err != nil {
		return nil, fmt.Errorf("read the directory %s: %w", d.url.Host, err)
	}
	return records, nil
}

// errLost says that a connection has ended too early. The library has no error for that.
var errLost = errors.New("the connection was lost")

func whyLost(conn *ldap.Conn, err error) error {
	if err != nil && conn.IsClosing() {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// attempt reads the entries once.
func (d *directory) attempt(ctx context.Context) ([]sourcesync.Record, error) {
	conn, err := d.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a search does not know ctx
	all, err := searcher{conn: conn, config: d.config}.all()
	if err != nil {
		return nil, whyLost(conn, err)
	}
	return all, ctx.Err()
}

func (d *directory) connect() (*ldap.Conn, error) {
	config, err := tlsConfig(d.config, d.dir)
	if err != nil {
		return nil, err
	}
	config.ServerName = d.url.Hostname()
	conn, err := ldap.DialURL(d.url.String(), ldap.DialWithTLSConfig(config), ldap.DialWithDialer(&net.Dialer{Timeout: dialTime}))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(searchTime)
	if d.config.StartTLS {
		err = conn.StartTLS(config)
	}
	if err == nil && d.user != "" {
		err = conn.Bind(d.user, d.password)
	}
	if err != nil {
		err = whyLost(conn, err)
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// searcher is one attempt.
type searcher struct {
	conn interface {
		Search(*ldap.SearchRequest) (*ldap.SearchResult, error)
	}
	config sourcesync.SourceConfig
}

// all are the records of all entries.
func (s searcher) all() (all []sourcesync.Record, err error) {
	entries, err := s.entries(fieldNames(s.config))
	if err == nil && s.config.MembersOf != "" {
		entries, err = s.membersOf(entries, s.config.MembersOf)
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		records, err := s.records(e)
		if err != nil {
			return nil, err
		}
		if all = append(all, records...); len(all) > sourcesync.MaxRows {
			return nil, errTooMany
		}
	}
	return all, nil
}

// entries are all entries that the filter finds. An error drops those that came before it: a server that has
// reached its limit sends what it has, and then the error.
func (s searcher) entries(attributes []string) ([]*ldap.Entry, error) {
	size := s.config.PageSize
	if size == 0 {
		size = defaultEntries
	}
	paging := ldap.NewControlPaging(uint32(size)) // #nosec G115 -- config bounds it
	request := ldap.NewSearchRequest(s.config.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, s.config.Filter, attributes, []ldap.Control{paging})
	var all []*ldap.Entry
	for {
		result, err := s.conn.Search(request)
		switch {
		case err != nil:
			return nil, err
		case len(result.Referrals) > 0:
			return nil, errors.New("a part of it lies on another server: write a base that lies on this one alone")
		}
		if all = append(all, result.Entries...); len(all) > sourcesync.MaxRows {
			return nil, errTooMany
		}
		answered, is := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !is || len(answered.Cookie) == 0 {
			return all, nil
		}
		paging.SetCookie(answered.Cookie)
	}
}

// records are those of an entry: one for each value of the key.
func (s searcher) records(e *ldap.Entry) (all []sourcesync.Record, err error) {
	fields := map[string]sourcesync.Value{}
	for _, name := range fieldNames(s.config)[1:] {
		values, there, err := s.values(e, name)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		text := ""
		switch len(values) {
		case 0:
		case 1:
			text = values[0]
		default:
			raw, err := json.Marshal(values)
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		fields[name] = sourcesync.Value{Text: text}
	}
	keys, _, err := s.values(e, s.config.KeyField)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		all = append(all, sourcesync.Record{Where: "entry " + pipeline.PlainLine(e.DN), Key: key, Fields: fields})
	}
	return all, nil
}

// values are those of an attribute. Active Directory gives long lists in parts, each of which says in the name of
// the attribute where it ends.
// https://learn.microsoft.com/windows/win32/adsi/attribute-range-retrieval
func (s searcher) values(e *ldap.Entry, name string) (values []string, there bool, err error) {
	whole, part, rest := attribute(e, name)
	if part == nil {
		if whole == nil {
			return nil, false, nil
		}
		return checked(e, whole)
	}
	for {
		values = append(values, part.Values...)
		if len(values) > sourcesync.MaxRows {
			return nil, false, errTooMany
		}
		if rest == "" {
			return checked(e, &ldap.EntryAttribute{Name: name, Values: values})
		}
		asked := name + ";range=" + rest + "-*"
		result, err := s.one(e.DN, asked)
		if err != nil {
			return nil, false, err
		}
		before := rest
		if _, part, rest = attribute(result, name); part == nil || rest == before {
			return nil, false, fmt.Errorf("the entry %s does not give its list %s to the end", pipeline.Quote(e.DN), name)
		}
	}
}

// attribute finds an attribute of an entry, or a part of it; rest is where the next part begins, empty after the last.
func attribute(e *ldap.Entry, name string) (whole, part *ldap.EntryAttribute, rest string) {
	prefix := strings.ToLower(name) + ";range="
	for _, a := range e.Attributes {
		lower := strings.ToLower(a.Name)
		if span, is := strings.CutPrefix(lower, prefix); is {
			_, end, _ := strings.Cut(span, "-")
			if end == "*" {
				return nil, a, ""
			}
			return nil, a, after(end)
		}
		if lower == strings.ToLower(name) {
			whole = a
		}
	}
	return whole, nil, ""
}

// checked refuses values that are no text, such as objectGUID.
func checked(e *ldap.Entry, a *ldap.EntryAttribute) ([]string, bool, error) {
	for _, v := range a.Values {
		if !utf8.ValidString(v) {
			return nil, false, fmt.Errorf("%s of the entry %s is no text", a.Name, pipeline.Quote(e.DN))
		}
	}
	return a.Values, true, nil
}

// one reads one entry by its name.
func (s searcher) one(dn string, attributes ...string) (*ldap.Entry, error) {
	result, err := s.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", attributes, nil))
	if err != nil {
		return nil, fmt.Errorf("read the entry %s: %w", pipeline.Quote(dn), err)
	}
	if len(result.Entries) != 1 {
		return nil, fmt.Errorf("the entry %s cannot be read", pipeline.Quote(dn))
	}
	return result.Entries[0], nil
}
