package rehearsal

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// watcher watches the customer's repository and notices what is new in it.
type watcher struct {
	repo     *hub.Repo
	versions map[int64]int // by comment: versions seen so far
	bodies   map[int64]string
	statuses map[string]int // by commit: statuses seen so far
	deployed map[int64]bool
}

func newWatcher(repo *hub.Repo) *watcher {
	return &watcher{repo: repo, versions: map[int64]int{}, bodies: map[int64]string{}, statuses: map[string]int{}, deployed: map[int64]bool{}}
}

// sighting is a new version of a comment.
type sighting struct {
	pull, version int
	comment       hub.CommentRecord
}

// news is what has changed since the last look.
type news struct {
	comments    []sighting
	statuses    []story.Part
	deployments []story.Part
}

func (w *watcher) poll() news {
	now := w.repo.Snapshot()
	var n news
	for _, p := range now.Pulls {
		for _, c := range p.Comments {
			if body, known := w.bodies[c.ID]; known && body == c.Body {
				continue
			}
			w.bodies[c.ID] = c.Body
			w.versions[c.ID]++
			n.comments = append(n.comments, sighting{pull: p.Number, version: w.versions[c.ID], comment: c})
		}
	}
	for _, sha := range slices.Sorted(maps.Keys(now.Statuses)) {
		if len(now.Statuses[sha]) > w.statuses[sha] {
			w.statuses[sha] = len(now.Statuses[sha])
			n.statuses = append(n.statuses, statusPart(sha, now.Statuses[sha]))
		}
	}
	for _, d := range now.Deployments {
		if !w.deployed[d.ID] {
			w.deployed[d.ID] = true
			n.deployments = append(n.deployments, deploymentPart(d))
		}
	}
	return n
}

// latest are the newest statuses of each context, by context. Contexts compare
// without regard to case.
func latest(statuses []hub.StatusRecord) []hub.StatusRecord {
	last := map[string]hub.StatusRecord{}
	for _, s := range statuses {
		last[strings.ToLower(s.Context)] = s
	}
	return slices.SortedFunc(maps.Values(last), func(a, b hub.StatusRecord) int { return cmp.Compare(a.Context, b.Context) })
}

func statusPart(sha string, statuses []hub.StatusRecord) story.Part {
	p := story.Part{Kind: story.Statuses, Title: "Statuses of commit " + short(sha), Open: true}
	for _, s := range latest(statuses) {
		p.Open = p.Open && s.State != "pending" // the end is worth a look
		p.Rows = append(p.Rows, []string{s.State, s.Context, s.Description})
	}
	return p
}

func deploymentPart(d hub.DeploymentRecord) story.Part {
	p := story.Part{Kind: story.Table, Title: "Deployment of " + d.Environment + ": " + d.Description, Rows: [][]string{{"Output", "Value"}}}
	for _, o := range outputsOf(d.Payload) {
		p.Rows = append(p.Rows, []string{o[0], o[1]})
	}
	return p
}

func short(sha string) string { return sha[:min(7, len(sha))] }

// withoutMarker drops the hidden first line of a comment: a reader never sees it.
func withoutMarker(body string) string {
	first, rest, _ := strings.Cut(body, "\n")
	if strings.HasPrefix(first, "<!--") && strings.HasSuffix(strings.TrimSpace(first), "-->") {
		return rest
	}
	return body
}
