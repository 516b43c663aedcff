package render

import (
	"fmt"
	"net/url"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// lineURL is the web address of a line of the customer's file at the commit of
// the request, on the server where the customer's run is; "" when that is not
// known.
func lineURL(req pipeline.Request, line int) string {
	run, err := url.Parse(req.CustomerRun.URL)
	if err != nil || run.Host == "" || run.User != nil {
		return ""
	}
	repo, err := pipeline.ParseSlug(req.Repository.String())
	if err != nil {
		return ""
	}
	commit, err := pipeline.ParseSHA(string(req.Commit))
	if err != nil {
		return ""
	}
	u := url.URL{Scheme: run.Scheme, Host: run.Host, Path: fmt.Sprintf("/%s/blob/%s/%s", repo, commit, req.File)}
	if line > 0 {
		u.Fragment = fmt.Sprintf("L%d", line)
	}
	return u.String()
}
