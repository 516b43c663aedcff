package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// openServiceNow reads a table of ServiceNow.
// https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
func openServiceNow(c sourcesync.SourceConfig, o Options) (sourcesync.Source, error) {
	w, err := newWeb(c, o)
	if err != nil {
		return nil, err
	}
	if c.TokenEnv != "" {
		token, err := o.secret(c.TokenEnv)
		if err != nil {
			return nil, err
		}
		w.authorize = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	} else {
		user, err := o.secret(c.UserEnv)
		if err != nil {
			return nil, err
		}
		password, err := o.secret(c.PasswordEnv)
		if err != nil {
			return nil, err
		}
		w.authorize = func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	c.Rows = "result"
	return whole(func(ctx context.Context) ([]sourcesync.Record, error) {
		return (&tableReader{web: w, config: c}).all(ctx)
	}), nil
}

const (
	defaultTablePage = 1000
	orderField       = "sys_id" // without an order pages overlap
)

type tableReader struct {
	*web
	config sourcesync.SourceConfig
}

// all reads the table page by page. Every page has to be full but the last one, and all of them together what the
// server says: rules of access drop rows in silence.
func (t *tableReader) all(ctx context.Context) (all []sourcesync.Record, err error) {
	size := t.config.PageSize
	if size == 0 {
		size = defaultTablePage
	}
	asked := t.config
	asked.Fields = append(slices.Clone(t.config.Fields), sourcesync.Field{From: orderField})
	seen := map[string]bool{}
	total := -1
	for page := 1; ; page++ {
		a, err := t.get(ctx, t.address(fieldNames(asked), size, len(all)), "")
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(a.header.Get("X-Total-Count"))
		switch {
		case err != nil || n < 0:
			return nil, errors.New("it does not say in X-Total-Count how many rows there are")
		case total >= 0 && n != total:
			return nil, errChanges
		case n > sourcesync.MaxRows:
			return nil, errTooMany
		}
		total = n
		rows, err := rowsOf(asked, a.body, fmt.Sprintf("page %d, ", page))
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", page, err)
		}
		if want := min(size, total-len(all)); len(rows) != want {
			return nil, fmt.Errorf("page %d has %d rows and not %d: it holds some of them back, which the user may not read, or says a wrong number", page, len(rows), want)
		}
		for _, r := range rows {
			id := r.Fields[orderField].Text
			if id == "" || seen[id] {
				return nil, fmt.Errorf("%s has no sys_id, or that of another row: the pages overlap", r.Where)
			}
			seen[id] = true
		}
		if all = append(all, rows...); len(rows) < size {
			return all, nil
		}
	}
}

func (t *tableReader) address(names []string, size, offset int) *url.URL {
	u := t.base.JoinPath("api", "now", "table", t.config.Table)
	query := "ORDERBY" + orderField
	if t.config.Query != "" {
		query = t.config.Query + "^" + query
	}
	u.RawQuery = url.Values{
		"sysparm_query": {query}, "sysparm_fields": {strings.Join(names, ",")}, "sysparm_limit": {strconv.Itoa(size)}, "sysparm_offset": {strconv.Itoa(offset)},
		"sysparm_display_value": {"false"}, "sysparm_exclude_reference_link": {"true"},
	}.Encode()
	return u
}
