package rehearsal

import (
	"fmt"
	"strconv"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// tellNews puts what is new below an event and into the folder.
func (s *rehearsal) tellNews(e *event) error {
	n := s.watcher.poll()
	for _, c := range n.comments {
		if err := s.keepComment(c); err != nil {
			return err
		}
		e.show(story.Part{Kind: story.Comment, Author: c.comment.Author, Markdown: withoutMarker(c.comment.Body), Title: fmt.Sprintf("commented on pull request #%d (version %d)", c.pull, c.version)})
	}
	e.show(n.statuses...)
	e.show(n.deployments...)
	return nil
}

// keepComment stores each version, and the newest one under its own name.
func (s *rehearsal) keepComment(c sighting) error {
	number, body := strconv.Itoa(c.pull), []byte(c.comment.Body)
	if err := s.folder.write(body, "customer", "pull-requests", number, fmt.Sprintf("comment-%d.md", c.version)); err != nil {
		return err
	}
	return s.folder.write(body, "customer", "pull-requests", number, "comment.md")
}
