package drift

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// scansIssues holds what is known of the issues: the whole of it in each object,
// the newest one counts.
const scansIssues = "_metapipe/scans/issues/"

// issueBook is what is known of the issues of all targets.
type issueBook struct {
	Version int                    `json:"version"` // 1
	Targets map[string]issueRecord `json:"targets"` // by customer/environment
}

type issueRecord struct {
	Repository int64         `json:"repository_id"`
	Slug       pipeline.Slug `json:"repository,omitzero"` // its name when it was written to
	Number     int           `json:"number,omitempty"`    // 0: not known, to be found by its marker
	URL        string        `json:"url,omitempty"`
	Hash       string        `json:"hash,omitempty"` // of the body as it was written; empty: closed, or not written
	Open       bool          `json:"open,omitempty"` // not closed by us
	Failed     bool          `json:"failed,omitempty"`
	// Unreached is since when the repository of a target that is gone cannot be
	// reached; zero: it was reached the last time.
	Unreached time.Time `json:"unreached,omitzero"`
}

// of returns the record of a target; one of another repository is none.
func (b issueBook) of(t issueTarget) (issueRecord, bool) {
	stored, ok := b.Targets[t.name]
	if !ok || stored.Repository != t.customer.RepositoryID {
		return issueRecord{}, false
	}
	return stored, true
}

// loadIssues reads the newest book. One under a key that is not at hand any more is
// forgotten: issues are found by their marker and author then.
func loadIssues(ctx context.Context, s record.Records, now time.Time) (issueBook, error) {
	book := issueBook{Version: 1, Targets: map[string]issueRecord{}}
	key, err := record.NewestKey(ctx, s, scansIssues, now, func(string) bool { return true })
	if err != nil {
		return book, fmt.Errorf("look for the issues of earlier scans: %w", err)
	}
	if key == "" {
		return book, nil
	}
	err = record.ReadFleet(ctx, s, key, &book)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return book, nil
	}
	if err == nil && book.Version != 1 {
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return book, fmt.Errorf("read the issues of earlier scans: %w", err)
	}
	if book.Targets == nil {
		book.Targets = map[string]issueRecord{}
	}
	return book, nil
}

func keepIssues(ctx context.Context, s record.Records, book issueBook, scan string, now time.Time) error {
	key := scansIssues + now.UTC().Format("20060102T150405.000000000Z") + "-" + scan + ".json"
	if err := record.CreateFleet(ctx, s, key, book); err != nil {
		return fmt.Errorf("keep the numbers of the issues: %w", err)
	}
	return nil
}

// intend notes issues that are about to be opened.
func (w *issueWork) intend(ctx context.Context, todo []issueTarget) error {
	intended := issueBook{Version: 1, Targets: maps.Clone(w.book.Targets)}
	changed := false
	for _, t := range todo {
		if _, known := w.book.of(t); !known && t.body != "" {
			intended.Targets[t.name] = issueRecord{Repository: t.customer.RepositoryID, Open: true}
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return keepIssues(ctx, w.records(), intended, w.scan.ID+"-intended", w.Now())
}

func issueHash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:16])
}

// issueRepo is what one run knows of a customer's repository.
type issueRepo struct {
	slug  pipeline.Slug // as GitHub spells it today
	err   error
	ours  []Issue // that carry a marker
	asked bool
}

// repo makes sure, before anything is written, that the repository is still the
// customer's: its name may belong to another repository now, and the repository to
// another account.
func (w *issueWork) repo(ctx context.Context, c pipeline.Customer) *issueRepo {
	key := fmt.Sprint(c.Name, " ", c.RepositoryID)
	if repo, ok := w.repos[key]; ok {
		return repo
	}
	repo := &issueRepo{}
	got, err := w.GitHub.Repository(ctx, c.Repository)
	if err != nil {
		repo.err = fmt.Errorf("look up repository %s of customer %s: %w", c.Repository, c.Name, err)
	} else {
		repo.err = c.CheckRepository(got)
	}
	repo.slug = got.Slug
	w.repos[key] = repo
	return repo
}

// find returns the issue of a target: by its number, or else by its marker. It is
// ours when both the marker and the author are: anybody can paste a marker.
func (w *issueWork) find(ctx context.Context, repo *issueRepo, t issueTarget, number int) (Issue, bool, error) {
	login, err := w.GitHub.Login(ctx)
	if err != nil {
		return Issue{}, false, fmt.Errorf("find out who we are: %w", err)
	}
	marker := pipeline.Marker(w.scan.Manager, t.customer.Name, "drift:"+string(t.result.Environment))
	ours := func(i Issue) bool { return strings.EqualFold(i.Author, login) && strings.HasPrefix(i.Body, marker) }
	if number > 0 {
		issue, err := w.GitHub.Issue(ctx, repo.slug, number)
		if err == nil && ours(issue) {
			return issue, true, nil
		}
		if err != nil && !pipeline.NotVisible(err) && !pipeline.Gone(err) {
			return Issue{}, false, err
		} // that the token may read issues is seen below
	}
	if !repo.asked {
		if repo.ours, err = w.GitHub.Issues(ctx, repo.slug, driftLabel); err != nil {
			return Issue{}, false, err
		}
		repo.asked = true
	}
	candidates := slices.DeleteFunc(slices.Clone(repo.ours), func(i Issue) bool { return !ours(i) })
	if len(candidates) == 0 {
		return Issue{}, false, nil
	}
	// An open one before closed ones, and then the newest.
	return slices.MaxFunc(candidates, func(a, b Issue) int {
		if n := order(a.State == "open", b.State == "open"); n != 0 {
			return n
		}
		return a.Number - b.Number
	}), true, nil
}
