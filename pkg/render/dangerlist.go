package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// dangers lists everything that targets destroy or replace: destroys first, with
// the reason and with what forces a replacement. What is still to come stands apart
// from what was given up and from what is done. It is never folded.
func (s scribe) dangers(drafts []draft, room size) string {
	var groups [][]dangerous
	for _, g := range dangerStages(dangersOf(drafts)) {
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	var out strings.Builder
	for i, g := range groups {
		text := s.dangerList(g, room.part(1, len(groups)-i))
		room = room.minus(measure(text))
		out.WriteString(text)
	}
	return out.String()
}

// dangerList is the list of one stage.
func (s scribe) dangerList(all []dangerous, room size) string {
	groups := groupDangers(all)
	return s.list(fmt.Sprintf("%s (%d)", dangersTitle(all), len(all)), entries{
		n:     len(groups),
		full:  func(i int) string { return groups[i].full(s.block) },
		short: func(i int) string { return groups[i].line() + "\n" },
		more: func(shown int) string {
			var c pipeline.Counts
			for _, g := range groups[shown:] {
				for _, d := range g {
					c.Add(d.c.Action)
				}
			}
			return fmt.Sprintf("- %s **and more that found no room here: %s**; %s\n",
				signCare, strings.Join(countWords(c, tenseOf(*groups[shown][0].t)), ", "), s.elsewhere(*groups[shown][0].t))
		},
	}, room)
}
