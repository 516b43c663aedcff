package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// filesPerQuery is how many files one query asks for: each may have half a megabyte.
const filesPerQuery = 50

// Files reads files of default branches, many with one call. The answers have the order of files. One that is not
// there is Gone; one that GitHub does not show whole, or not as text, has an Err.
func (c *Client) Files(ctx context.Context, files []compliance.FileQuestion) []compliance.FileAnswer {
	answers := make([]compliance.FileAnswer, len(files))
	if c.app != nil {
		k := newQuery("read files of repositories")
		for i := range answers {
			answers[i].Err = k.unfitForApp()
		}
		return answers
	}
	for from := 0; from < len(files); from += filesPerQuery {
		to := min(from+filesPerQuery, len(files))
		c.someFiles(ctx, files[from:to], answers[from:to])
	}
	return answers
}

// someFiles sends one query, or several smaller ones where GitHub does not manage to answer it.
func (c *Client) someFiles(ctx context.Context, files []compliance.FileQuestion, answers []compliance.FileAnswer) {
	k := newQuery(fmt.Sprintf("read a file of each of %d repositories", len(files)))
	if len(files) == 1 {
		k = newQuery("read " + files[0].Path)
		k.repo = files[0].Repository
	}
	k.repeatable = len(files) == 1
	query, variables := filesQuery(files)
	answer, err := c.ask(ctx, k, query, variables)
	if err != nil && tooMuch(ctx, err) && len(files) > 1 {
		half := len(files) / 2
		c.someFiles(ctx, files[:half], answers[:half])
		c.someFiles(ctx, files[half:], answers[half:])
		return
	}
	for i, f := range files {
		switch problem := answer.problemOf(alias(i)); {
		case err != nil:
			answers[i].Err = err
		case problem != nil && problem.overload() && len(files) > 1:
			c.someFiles(ctx, files[i:i+1], answers[i:i+1])
		case problem != nil:
			answers[i].Err = c.unanswered(k, problem, answer.header)
		default:
			answers[i] = fileOf(answer.Data[alias(i)], f.ID)
		}
		if answers[i].Err != nil {
			answers[i].Err = fmt.Errorf("read %s: %w", f.Path, answers[i].Err)
		}
	}
}

// filesQuery asks for each file under an alias of its own. Names and paths are variables, so none of them can
// change the query.
func filesQuery(files []compliance.FileQuestion) (string, map[string]any) {
	var declared, fields strings.Builder
	variables := make(map[string]any, 3*len(files))
	for i, f := range files {
		fmt.Fprintf(&declared, "$owner%d:String!$name%d:String!$at%d:String!", i, i, i)
		fmt.Fprintf(&fields, "%s:repository(owner:$owner%d,name:$name%d){databaseId object(expression:$at%d){...file}}\n", alias(i), i, i, i)
		variables[fmt.Sprintf("owner%d", i)], variables[fmt.Sprintf("name%d", i)], variables[fmt.Sprintf("at%d", i)] = f.Repository.Owner, f.Repository.Name, "HEAD:"+f.Path
	}
	return fmt.Sprintf(`query(%s){rateLimit{cost remaining resetAt}
%s}
fragment file on Blob{text isBinary isTruncated}`, declared.String(), fields.String()), variables
}

// fileOf reads the answer about one file.
func fileOf(raw []byte, id int64) (a compliance.FileAnswer) {
	var node *struct {
		ID   int64 `json:"databaseId"`
		File *struct {
			Text      *string `json:"text"`
			Binary    *bool   `json:"isBinary"`
			Truncated *bool   `json:"isTruncated"`
		} `json:"object"`
	}
	if len(raw) == 0 {
		a.Err = errors.New("the answer lacks the repository, and says no reason")
	} else if err := pipeline.DecodeExact(raw, &node); err != nil {
		a.Err = fmt.Errorf("decode the answer: %w", err)
	}
	switch {
	case a.Err != nil:
	case node == nil || node.ID <= 0:
		a.Err = errors.New("the answer lacks the repository or its id, and says no reason")
	case node.ID != id:
		a.Err = fmt.Errorf("the repository has the id %d, and %d was asked for: something else has its name now", node.ID, id)
	case node.File == nil:
		a.Gone = true
	case node.File.Text == nil || node.File.Binary == nil || *node.File.Binary || node.File.Truncated == nil || *node.File.Truncated:
		a.Err = errors.New("GitHub does not show the whole file as text")
	default:
		a.Content = []byte(*node.File.Text)
	}
	return a
}
