package rehearsal

import (
	"bytes"
	"context"
	"os"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"gopkg.in/yaml.v3"
)

// proposal is the change of variables.yml that the pull request asks for.
type proposal struct {
	// base is what stands on the default branch today; nil: no file yet.
	base []byte
	// head is what the pull request proposes.
	head []byte
	// from says in half a sentence where the two were taken from.
	from string
}

// deployed reports whether there is something to deploy first: "where you are
// today".
func (p proposal) deployed() bool { return p.base != nil }

// propose decides what is proposed against what. A file that the caller names
// wins; else uncommitted edits are the proposal against what is committed; else
// the pull request adds the file.
func propose(ctx context.Context, c *checkout, file, proposed string) (proposal, error) {
	current, exists := c.files[file]
	if proposed != "" {
		head, err := os.ReadFile(proposed)
		switch {
		case err != nil:
			return proposal{}, pipeline.Usagef("read the proposal").Because(err).
				Nextf("name a file with the variables.yml that the pull request proposes")
		case exists && bytes.Equal(head, current.Content):
			return proposal{}, pipeline.Usagef("%s is the same as %s of the customer: it proposes nothing", proposed, file).
				Nextf("change something in it")
		case exists:
			return proposal{base: current.Content, head: head, from: "today is " + file + ", the proposal is " + proposed}, nil
		}
		return proposal{head: head, from: "there is no " + file + " yet, the proposal is " + proposed}, nil
	}
	if !exists {
		return proposal{}, pipeline.Usagef("%s has no %s", c.dir, file).Nextf("write it, or name one with --proposal")
	}
	committed, known, err := c.committed(ctx, file)
	if err != nil {
		return proposal{}, pipeline.Usagef("read the committed %s of %s", file, c.dir).Because(err).
			Nextf("name the proposed file with --proposal, or fetch the commit first (a partial clone may lack it)")
	}
	if known && !bytes.Equal(committed, current.Content) {
		return proposal{base: committed, head: current.Content, from: "today is the committed " + file + ", the proposal is your uncommitted edit of it"}, nil
	}
	return proposal{head: current.Content, from: "nothing is deployed yet, the proposal adds " + file}, nil
}

// commented is the file with one more comment: another blob, the same meaning.
func commented(file []byte) []byte {
	return append(endLine(file), "# a comment changes nothing\n"...)
}

// broken is the file with its first key a second time, and the key.
func broken(file []byte) ([]byte, string) {
	key := "project_name"
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err == nil && len(document.Content) == 1 && len(document.Content[0].Content) > 1 {
		if first := document.Content[0].Content[0]; first.Kind == yaml.ScalarNode && !strings.ContainsAny(first.Value, "\n:#\"'") {
			key = first.Value
		}
	}
	return append(endLine(file), (key + ": again\n")...), key
}

// endLine returns a copy whose last line is complete.
func endLine(file []byte) []byte {
	out := bytes.Clone(file)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return out
}
