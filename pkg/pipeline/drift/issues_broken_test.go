package drift

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
)

// TestIssueOfABrokenFile: the issue of a customer whose file has problems stays open, since
// nothing says that the customer is gone.
func TestIssueOfABrokenFile(t *testing.T) {
	t.Parallel()
	book := issues.Book{Targets: map[string]issues.Record{"wiki/staging": {Repository: 7, Number: 3, Open: true}}}
	d := &Issuer{Now: time.Now, Closing: func(Result) string { return "closing" }}
	registered := map[pipeline.CustomerName]pipeline.Customer{}
	if found := d.gone(book, registered); len(found) != 1 || found[0].Closing == "" {
		t.Errorf("of a customer that is gone: %+v", found)
	}
	d.Broken = []pipeline.CustomerName{"wiki"}
	if found := d.gone(book, registered); len(found) != 0 {
		t.Errorf("of a customer with a broken file: %+v", found)
	}
}
