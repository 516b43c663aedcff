package issues

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Book is what is known of all issues of a kind. Each object in the store holds the
// whole of it; the newest one counts.
type Book struct {
	Version int               `json:"version"` // 1
	Targets map[string]Record `json:"targets"` // by key
}

// Record is what is known of the issue of one key.
type Record struct {
	Repository int64         `json:"repository_id"`
	Slug       pipeline.Slug `json:"repository,omitzero"` // its name when it was written to
	Number     int           `json:"number,omitempty"`    // 0: not known, to be found by its marker
	URL        string        `json:"url,omitempty"`
	Hash       string        `json:"hash,omitempty"` // of the body as it was written; empty: closed, or not written
	Open       bool          `json:"open,omitempty"` // not closed by us
	Failed     bool          `json:"failed,omitempty"`
	// Unreached is since when the repository of a key that has ended cannot be
	// reached; zero: it was reached the last time.
	Unreached time.Time `json:"unreached,omitzero"`
}

// of returns the record of a finding; one of another repository is none.
func (b Book) of(f Finding) (Record, bool) {
	stored, ok := b.Targets[f.Key()]
	if !ok || stored.Repository != f.Customer.RepositoryID {
		return Record{}, false
	}
	return stored, true
}

// Load reads the newest book for Run. One under a key that is not at hand any more is
// forgotten: issues are found by their marker and author then.
func (k Keeper) Load(ctx context.Context) (Book, error) {
	book, err := k.Known(ctx)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return Book{Version: 1, Targets: map[string]Record{}}, nil
	}
	return book, err
}

// Known reads the newest book for those who only look: one that cannot be read is an error,
// also where its key is not at hand, since nothing else tells of the issues.
func (k Keeper) Known(ctx context.Context) (Book, error) {
	book := Book{Version: 1, Targets: map[string]Record{}}
	key, err := record.NewestKey(ctx, k.Records, k.Kind.Book, k.Now(), func(string) bool { return true })
	if err != nil {
		return book, fmt.Errorf("look for the issues of earlier runs: %w", err)
	}
	if key == "" {
		return book, nil
	}
	err = record.ReadFleet(ctx, k.Records, key, &book)
	if err == nil && book.Version != 1 {
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return book, fmt.Errorf("read the issues of earlier runs: %w", err)
	}
	if book.Targets == nil {
		book.Targets = map[string]Record{}
	}
	return book, nil
}

func (k Keeper) save(ctx context.Context, book Book, run string) error {
	key := k.Kind.Book + k.Now().UTC().Format("20060102T150405.000000000Z") + "-" + run + ".json"
	if err := record.CreateFleet(ctx, k.Records, key, book); err != nil {
		return fmt.Errorf("keep the numbers of the issues: %w", err)
	}
	return nil
}

// intend notes issues that are about to be opened.
func (w *work) intend(ctx context.Context, run string, todo []task) error {
	intended := Book{Version: 1, Targets: maps.Clone(w.book.Targets)}
	changed := false
	for _, t := range todo {
		if _, known := w.book.of(t.Finding); !known && t.body != "" {
			intended.Targets[t.Key()] = Record{Repository: t.Customer.RepositoryID, Open: true}
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return w.save(ctx, intended, run+"-intended")
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:16])
}

// unreachedFor is how long the issue of a key that has ended is tried again where its
// repository does not let us in: a token may get its access back.
const unreachedFor = 30 * 24 * time.Hour

// forget drops the record of a key that has ended when there is nothing left to
// try: its issue is closed, its repository is another one or takes no writes any
// more, or it was out of reach for long. GitHub says "not found" also of what the
// token may not see, so that one such answer is no reason to forget.
func (w *work) forget(ctx context.Context, t task, err error) {
	stored := w.book.Targets[t.Key()]
	_, refused := pipeline.RefusalOf(err)
	var other *pipeline.OtherRepositoryError
	var github interface{ Cause() string }
	switch {
	case err == nil || refused || errors.As(err, &other):
		delete(w.book.Targets, t.Key())
		return
	case ctx.Err() != nil || !errors.As(err, &github) || github.Cause() != "repository" && github.Cause() != "permission":
		return
	case stored.Unreached.IsZero():
		stored.Unreached = w.Now().UTC()
	case w.Now().Sub(stored.Unreached) >= unreachedFor:
		delete(w.book.Targets, t.Key())
		return
	}
	w.book.Targets[t.Key()] = stored
}
