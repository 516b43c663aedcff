package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hubrun"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/workflow"
	"github.com/metapipe/metapipe/workflows"
)

// shippedManager are the shipped workflows of a manager, with the chain of jobs for its targets.
func shippedManager(m pipeline.Manager) (map[string]hub.File, error) {
	out := map[string]hub.File{}
	err := fs.WalkDir(workflows.Files, "manager", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(workflows.Files, name)
		to := path.Join(workflow.Dir, path.Base(name))
		if err == nil && to == workflow.File {
			raw, err = workflow.Write(raw, m.Chain())
		}
		out[to] = hub.File{Content: raw}
		return err
	})
	return out, err
}

// shippedCustomer is the shipped workflow of a customer, with its branch and its path.
func shippedCustomer(c pipeline.Customer, branch string) (map[string]hub.File, error) {
	raw, err := fs.ReadFile(workflows.Files, "customer/"+path.Base(intake.TriggerWorkflow))
	if err != nil {
		return nil, err
	}
	flags := "--path " + shellQuoted(c.Path)
	if c.SharedRepository {
		flags += " --customer " + shellQuoted(string(c.Name))
	}
	for _, edit := range [][2]string{
		{"branches: [main]", "branches: [" + yamlQuoted(branch) + "]"}, {`paths: ["infra/**"]`, "paths: [" + yamlQuoted(path.Join(c.Path, "**")) + "]"}, {"--path infra", flags},
	} {
		if !strings.Contains(string(raw), edit[0]) {
			return nil, fmt.Errorf("the shipped %s lacks %q", intake.TriggerWorkflow, edit[0])
		}
		raw = []byte(strings.Replace(string(raw), edit[0], edit[1], 1))
	}
	return map[string]hub.File{intake.TriggerWorkflow: {Content: raw}}, nil
}

func yamlQuoted(text string) string  { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// files are those of a commit, in a directory of their own.
func (s *setup) files(repo *hub.Repo, sha string) (fs.FS, error) {
	dir := filepath.Join(s.work, "commits", repo.Slug(), sha)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the directory of a commit: %w", err)
		}
		if err := repo.Checkout(sha, dir); err != nil {
			return nil, err
		}
	}
	return os.DirFS(dir), nil
}

// shippedInbox is the shipped workflow of an inbox.
func shippedInbox() (map[string]hub.File, error) {
	raw, err := fs.ReadFile(workflows.Files, "inbox/forward.yml")
	return map[string]hub.File{path.Join(workflow.Dir, "forward.yml"): {Content: raw}}, err
}

// side is one of the repositories, on its way to a workflow that can be played.
type side struct {
	who     string // that the repository belongs to
	repo    *hub.Repo
	branch  string
	command string // that the workflow runs
	shipped func() (map[string]hub.File, error)
	file    *string // of the workflow
}

// addWorkflows finds the workflow of each side, takes the shipped ones where there is none, and registers it with the
// double of GitHub.
func (s *setup) addWorkflows(narrator *narrator) error {
	branch := s.customer.DefaultBranch()
	var inbox error
	if s.inbox != nil {
		inbox = s.addWorkflow(narrator, side{"inbox", s.inbox, "main", "forward", shippedInbox, &s.inboxFile})
	}
	return errors.Join(inbox,
		s.addWorkflow(narrator, side{"manager", s.manager, "main", "fetch-vars", func() (map[string]hub.File, error) { return shippedManager(s.who.Manager) }, &s.managerFile}),
		s.addWorkflow(narrator, side{"customer", s.customer, branch, "trigger", func() (map[string]hub.File, error) { return shippedCustomer(s.who, branch) }, &s.customerFile}),
	)
}

func (s *setup) addWorkflow(narrator *narrator, of side) error {
	files, found, err := s.find(of)
	if err != nil {
		return err
	}
	shipped, err := of.shipped()
	if err != nil {
		return err
	}
	foreign := found && of.repo == s.customer && !s.trusts && !asShipped(files, *of.file, shipped)
	if !found || foreign {
		if _, err = of.repo.Commit(of.branch, hub.Change{Files: shipped, Message: "The shipped workflows"}); err != nil {
			return err
		}
		if foreign {
			narrator.note("%s of the customer is not as shipped, and no scripts of a customer run here: the rehearsal plays the shipped one in its place. --customer-workflow plays the customer's own, with its scripts.", *of.file)
		} else {
			narrator.note("No workflow of the %s runs `metapipe %s`: the rehearsal plays the shipped ones.", of.who, of.command)
		}
		files, found, err = s.find(of)
	}
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("find the workflow of the %s", of.who))
	}
	w, err := runner.Load(files, *of.file)
	if err == nil {
		if left := s.leftOut(of.repo, w); len(left) > 0 {
			narrator.note("%s of the customer: the jobs that do not run metapipe are not played (%s).", *of.file, strings.Join(left, ", "))
		}
		err = (&runner.Run{Workflow: w, Repository: files, Actions: s.actions()}).Check()
	}
	if err != nil {
		return pipeline.Usagef("the workflow of the %s cannot run", of.who).Because(err).Nextf("fix the file, or copy it again: https://github.com/metapipe/metapipe/tree/main/workflows")
	}
	if empty := withoutValue(files, shipped); len(empty) > 0 && of.repo != s.customer {
		narrator.note("These settings of the %s have no value here: %s.", of.who, strings.Join(empty, ", "))
	}
	registered := hub.Workflow{Path: *of.file, Name: w.Title()}
	if w.Listens(runner.Event{Name: "repository_dispatch", Type: pipeline.DispatchEvent}) {
		registered.Dispatches = []string{pipeline.DispatchEvent}
	} else if of.repo != s.customer {
		return pipeline.Usagef("%s of the %s does not start on a repository_dispatch of the type %s, so it gets no request", *of.file, of.who, pipeline.DispatchEvent).
			Nextf("add to the file: on: {repository_dispatch: {types: [%s]}}", pipeline.DispatchEvent)
	}
	return of.repo.AddWorkflow(registered)
}

// withoutValue are the secrets and variables that workflows read and the shipped ones do not: those are the only ones
// that a rehearsal has.
func withoutValue(files fs.FS, shipped map[string]hub.File) (names []string) {
	known := []string{"secrets.GITHUB_TOKEN"}
	for _, file := range shipped {
		known = append(known, workflow.SettingsIn(string(file.Content))...)
	}
	for _, name := range workflow.Settings(files) {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

// asShipped reports whether the customer's workflow is the shipped one, as it is or with the customer's branch and
// path. Any other one may run whatever its owner likes.
func asShipped(files fs.FS, file string, shipped map[string]hub.File) bool {
	raw, err := fs.ReadFile(files, file)
	if err != nil || file != intake.TriggerWorkflow {
		return false
	}
	original, err := fs.ReadFile(workflows.Files, "customer/"+path.Base(file))
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return err == nil && (bytes.Equal(raw, original) || bytes.Equal(raw, shipped[file].Content))
}

// find finds the workflow of a side in its newest commit.
func (s *setup) find(of side) (files fs.FS, found bool, err error) {
	head, err := of.repo.Head(of.branch)
	if err != nil {
		return nil, false, err
	}
	if files, err = s.files(of.repo, head); err != nil {
		return nil, false, err
	}
	*of.file, found = workflow.Find(files, of.command)
	return files, found, nil
}

// actions is metapipe's own action, with this very binary.
func (s *setup) actions() map[string]runner.Action {
	actions := hubrun.Actions(func(c *runner.Call) (dir string, err error) {
		dir = filepath.Join(c.Job.Dir, "metapipe")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		c.Outputs["version"] = "source-rehearsal"
		return dir, place(s.binary, filepath.Join(dir, "metapipe"+filepath.Ext(s.binary)))
	})
	actions["actions/create-github-app-token"] = s.appToken
	return actions
}

// appToken makes a token for the repositories that the inputs name, or for the one of the run. There is no App in a
// rehearsal: its id and its key are not looked at.
func (s *setup) appToken(_ context.Context, c *runner.Call) error {
	slug, _ := c.Run.GitHub["repository"].(string)
	owner, _, _ := strings.Cut(slug, "/")
	if o := c.Inputs["owner"]; o != "" {
		owner = o
	}
	repositories := []string{slug}
	if names := strings.FieldsFunc(c.Inputs["repositories"], func(r rune) bool { return r == ',' || r == '\n' || r == ' ' }); len(names) > 0 {
		repositories = nil
		for _, name := range names {
			repositories = append(repositories, owner+"/"+name)
		}
	}
	permissions := map[string]string{}
	for name, level := range c.Inputs {
		if right, ok := strings.CutPrefix(name, "permission-"); ok && level != "" {
			permissions[strings.ReplaceAll(right, "-", "_")] = level
		}
	}
	if len(permissions) == 0 {
		permissions = map[string]string{"contents": "write", "issues": "write", "pull_requests": "write", "statuses": "write", "deployments": "write", "actions": "read"}
	}
	token, err := s.hub.AddToken(hub.Token{Name: fmt.Sprintf("App token %d", s.appTokens.Add(1)), Kind: hub.FineGrained, User: managerBot, Repositories: repositories, Permissions: permissions})
	if err != nil {
		return c.Fail("make a token for %s: %v", strings.Join(repositories, ", "), err)
	}
	c.Job.Masks.Add(token.Secret)
	c.Outputs["token"], c.Outputs["app-slug"], c.Outputs["installation-id"] = token.Secret, "rehearsal", "1"
	c.Log("there is no App here: the token is one of the rehearsal, for %s", strings.Join(repositories, ", "))
	return nil
}

// place makes a program known under another path: by a link, or by a copy where there are no links.
func place(program, at string) error {
	if err := os.Symlink(program, at); err == nil {
		return nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(at, content, 0o700) //nolint:gosec // a program must be executable
}

// leftOut takes the jobs out of a customer's workflow that neither run metapipe nor are needed for it: what they
// deploy is not part of a rehearsal.
func (s *setup) leftOut(repo *hub.Repo, w *runner.Workflow) []string {
	if repo != s.customer {
		return nil
	}
	return w.Only(func(job *actionlint.Job) bool {
		for _, script := range runner.Scripts(job) {
			if command, _ := workflow.CommandOf(script); command != "" {
				return true
			}
		}
		return false
	})
}
