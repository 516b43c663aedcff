package onboarding

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/settings"
)

// Kind is the kind of plans of onboarding.
const Kind = "onboarding"

// The names of rows, each with a name behind it. A custom property has its own name.
const (
	pullRequestOf = "pull request "
	secretOf      = "secret "
)

// Marker is the variable of the customer's repository that lists what onboarding has made there.
const Marker = "METAPIPE_ONBOARD"

// CheckRuleset is the ruleset that requires the status of metapipe.
const CheckRuleset = "metapipe required check"

// Branch is the branch of the customer's repository.
const Branch = "metapipe/onboard"

// Customer is the customer that is onboarded.
type Customer struct {
	Name pipeline.CustomerName
	// RegisteredID is the repository that the manager's checkout has for the name; 0: none.
	RegisteredID int64
	// Directory is where its variables.yml is in the repository.
	Directory string
	// Others are the customers that the manager has under other names.
	Others []pipeline.Customer
	// Path is the customer's file in the manager, and Render makes its content for a repository.
	Path   string
	Render func(Repository) []byte
	// Files of the customer's repository.
	Files map[string][]byte
	// Variables of Actions, and secrets by name.
	Variables, Secrets map[string]string
	// RequiredCheck: pull requests have to wait for the commit status.
	RequiredCheck bool
	// Properties are the rows of custom properties, and Writer writes them; nil: none.
	Properties func(context.Context, Repository) ([]change.Row, error)
	Writer     change.Writer
	// PropertyNames are those that onboarding sets.
	PropertyNames []string
}

// Planner makes the plans of one customer.
type Planner struct {
	Manager, Customer               GitHub
	ManagerRepository, CustomerRepo pipeline.Slug
	Of                              Customer
}

// Result is a plan, what writes it, and what is to be known about it.
type Result struct {
	Plan   change.Plan
	Writer Writer
	Notes  []string
}

// planning is a plan that is being made.
type planning struct {
	Planner
	manager, customer side
	rows              []change.Row
	notes             []string
	writer            Writer
	// shared: another customer lives in the same repository, and needs what stands there.
	shared bool
}

func (p Planner) begin(ctx context.Context) (*planning, error) {
	w := &planning{Planner: p, manager: side{github: p.Manager}, customer: side{github: p.Customer}}
	var err error
	if w.manager.repository, err = p.Manager.OnboardingRepository(ctx, p.ManagerRepository); err != nil {
		return nil, err
	}
	if w.customer.repository, err = p.Customer.OnboardingRepository(ctx, p.CustomerRepo); err != nil {
		return nil, err
	}
	if w.manager.repository.ID == w.customer.repository.ID {
		return nil, pipeline.Usagef("%s is the manager itself", w.manager.slug()).Nextf("name the repository of the customer")
	}
	for _, other := range p.Of.Others {
		w.shared = w.shared || other.RepositoryID == w.customer.repository.ID && !other.Offboarded
	}
	w.writer = Writer{sides: map[int64]side{w.manager.repository.ID: w.manager, w.customer.repository.ID: w.customer}, proposals: map[string]Proposal{}, secrets: p.Of.Secrets,
		properties: p.Of.Writer}
	return w, nil
}

func (w *planning) end() Result {
	return Result{Plan: change.NewPlan(Kind, 1, w.rows), Writer: w.writer, Notes: w.notes}
}

func (w *planning) notef(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (s side) place() change.Place {
	return change.Place{ID: s.repository.ID, Name: s.repository.Slug.String()}
}

func (w *planning) add(at side, what string, old, next json.RawMessage, reason string) {
	w.rows = append(w.rows, change.Row{Place: at.place(), What: what, Old: old, New: next, Reason: reason, Customers: []pipeline.CustomerName{w.Of.Name}})
}

// Onboard plans what is missing: harmless things first, and secrets last. It adds, and replaces nothing.
func (p Planner) Onboard(ctx context.Context) (Result, error) {
	w, err := p.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, step := range []func(context.Context) error{w.asNamed, w.accept, w.register, w.files, w.settings} {
		if err := step(ctx); err != nil {
			return Result{}, err
		}
	}
	return w.end(), nil
}

// asNamed refuses a repository that only a redirect of GitHub leads to: it can belong to someone else now, who
// would get the secret.
func (w *planning) asNamed(context.Context) error {
	for _, r := range []struct{ named, is pipeline.Slug }{{w.ManagerRepository, w.manager.slug()}, {w.CustomerRepo, w.customer.slug()}} {
		if !strings.EqualFold(r.named.String(), r.is.String()) {
			return pipeline.Usagef("%s is called %s now: GitHub redirects the former name", r.named, r.is).Nextf("make sure that it is the repository that you mean, and name it %s", r.is)
		}
	}
	return nil
}

// accept refuses repositories that cannot be customers.
func (w *planning) accept(context.Context) error {
	slug, id := w.customer.slug(), w.customer.repository.ID
	for _, other := range w.Of.Others {
		if other.RepositoryID == id && other.Path == w.Of.Directory {
			return pipeline.Usagef("%s is the customer %s already (%s)", slug, other.Name, other.File).Nextf("use --name %s", other.Name)
		}
	}
	switch {
	case w.customer.repository.Archived:
		return pipeline.Usagef("%s is archived, so no one can push to it", slug).Nextf("unarchive it, or name another repository")
	case w.manager.repository.Archived:
		return pipeline.Usagef("the manager %s is archived", w.manager.slug()).Nextf("unarchive it")
	case w.customer.repository.Fork:
		return pipeline.Usagef("%s is a fork: its workflows and pull requests belong to another repository", slug).Nextf("make a repository of its own, and name that one")
	case w.Of.RegisteredID != 0 && w.Of.RegisteredID != id:
		return pipeline.Usagef("%s is the file of another repository: it has the id %d, and %s has %d", w.Of.Path, w.Of.RegisteredID, slug, id).Nextf("choose another name with --name")
	case w.Of.Properties != nil && w.customer.repository.ByPerson:
		return pipeline.Usagef("%s belongs to a person, and only repositories of organizations have custom properties", slug).Nextf("leave --tools and --tier out, or move the repository to an organization")
	}
	return nil
}

func (w *planning) mark(what string) string {
	return fmt.Sprintf("%s%s %s %d", markPrefix, what, w.Of.Name, w.customer.repository.ID)
}

// registration is the pull request for the customer's file.
func (w *planning) registration() Proposal {
	return Proposal{Branch: Branch + "-" + string(w.Of.Name), Title: "customers: add " + string(w.Of.Name), Mark: w.mark("register"),
		Body:  fmt.Sprintf("Registers `%s` as the customer `%s`. Its requests are accepted when this is merged.", w.customer.slug(), w.Of.Name),
		Files: map[string][]byte{w.Of.Path: w.Of.Render(w.customer.repository)}}
}

// register plans the pull request in the manager.
func (w *planning) register(ctx context.Context) error {
	if w.Of.RegisteredID != 0 {
		w.notef("%s is in the manager already, and stays as it is", w.Of.Path)
		return nil
	}
	p := w.registration()
	missing, other, err := w.absent(ctx, w.manager, p.Files)
	switch {
	case err != nil:
		return err
	case len(other) > 0:
		return pipeline.Usagef("%s is on the default branch of %s, and not in this checkout", w.Of.Path, w.manager.slug()).Nextf("pull the manager, and run this again; choose another name with --name if it is another customer")
	case len(missing) == 0:
		w.notef("%s is on the default branch of the manager already", w.Of.Path)
		return nil
	}
	return w.propose(ctx, w.manager, p, "its requests are accepted when it is merged")
}

// absent are the files that the default branch lacks.
func (w *planning) absent(ctx context.Context, s side, files map[string][]byte) (map[string][]byte, []string, error) {
	head, err := s.github.BranchHead(ctx, s.slug(), s.repository.DefaultBranch)
	if pipeline.Gone(err) || isEmpty(err) {
		return nil, nil, pipeline.Usagef("%s has no commit on its default branch", s.slug()).Because(err).Nextf("make a first one, such as a README, and run this again")
	}
	if err != nil {
		return nil, nil, err
	}
	return s.missing(ctx, head, files)
}

// propose plans a pull request.
func (w *planning) propose(ctx context.Context, s side, p Proposal, reason string) error {
	v, err := s.see(ctx, p)
	if err != nil {
		return err
	}
	old, err := v.value()
	if err != nil {
		return err
	}
	next := old
	switch {
	case v.number != 0 && !v.ours(p) && v.mark != "" && strings.HasPrefix(v.mark, markPrefix):
		return s.foreign(p)
	case v.number != 0 && !v.ours(p):
		w.notef("the pull request of %s in %s has been changed by someone, and stays as it is", p.Branch, s.slug())
	case v.head != "" && !v.ours(p):
		return s.foreign(p)
	default:
		if next, err = p.wanted().encode(); err != nil {
			return err
		}
	}
	w.writer.proposals[key(s, p)] = p
	w.add(s, pullRequestOf+p.Branch, old, next, reason)
	return nil
}

func key(s side, p Proposal) string { return fmt.Sprint(s.repository.ID, " ", p.Branch) }

// start is the pull request with the customer's first files.
func (w *planning) start(files map[string][]byte) Proposal {
	return Proposal{Branch: Branch, Title: "Add infrastructure requests", Mark: w.mark("files"), Files: files,
		Body: fmt.Sprintf("Adds the workflow that sends requests to `%s`, and a first `variables.yml` to edit. Nothing is deployed before this is merged.", w.manager.slug())}
}

// files plans the pull request in the customer's repository.
func (w *planning) files(ctx context.Context) error {
	missing, other, err := w.absent(ctx, w.customer, w.Of.Files)
	if err != nil {
		return err
	}
	for _, name := range other {
		w.notef("%s of %s is not as shipped, and stays as it is", name, w.customer.slug())
	}
	if len(missing) == 0 {
		return nil
	}
	return w.propose(ctx, w.customer, w.start(missing), "the customer edits and merges it")
}

// settings plans properties, variables, the required check and secrets, behind the list of what is made.
func (w *planning) settings(ctx context.Context) error {
	before := len(w.rows)
	for _, step := range []func(context.Context) error{w.properties, w.variables, w.check, w.secrets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	rows := slices.Clone(w.rows[before:])
	w.rows = w.rows[:before]
	old, made, err := w.marker(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if change.IsNone(r.Old) && !slices.Contains(made, r.What) {
			made = append(made, r.What)
		}
	}
	if len(made) > 0 {
		slices.Sort(made)
		list, err := settings.Encode(strings.Join(made, ","))
		if err != nil {
			return err
		}
		w.add(w.customer, settings.VariableOf+Marker, old, list, "it lists what onboarding makes, so that it can be taken back")
	}
	w.rows = append(w.rows, rows...)
	return nil
}

// marker is the list of what onboarding has made. What it never makes is left out: anyone who may write
// variables can write the list.
func (w *planning) marker(ctx context.Context) (json.RawMessage, []string, error) {
	old, err := w.Customer.Setting(ctx, w.customer.slug(), settings.VariableOf+Marker)
	if err != nil || change.IsNone(old) {
		return old, nil, err
	}
	var list string
	if err := json.Unmarshal(old, &list); err != nil {
		return nil, nil, fmt.Errorf("read the variable %s of %s: %w", Marker, w.customer.slug(), err)
	}
	var made []string
	for _, what := range strings.Split(list, ",") {
		if w.makes(what) && !slices.Contains(made, what) {
			made = append(made, what)
		}
	}
	return old, made, nil
}

// makes reports whether onboarding can make something.
func (w *planning) makes(what string) bool {
	kind, name, _ := settings.Split(what)
	secret, isSecret := strings.CutPrefix(what, secretOf)
	switch {
	case isSecret:
		return slices.Contains(SecretNames, secret)
	case kind == settings.VariableOf:
		return slices.Contains(VariableNames, name)
	case kind == settings.RulesetOf:
		return name == CheckRuleset
	}
	return slices.Contains(w.Of.PropertyNames, what)
}

// What onboarding can set.
var (
	SecretNames   = []string{"MANAGER_REPO_PAT"}
	VariableNames = []string{"MANAGER_REPO_OWNER", "MANAGER_REPO_NAME", "MANAGER_INBOX"}
)

func (w *planning) properties(ctx context.Context) error {
	if w.Of.Properties == nil {
		return nil
	}
	rows, err := w.Of.Properties(ctx, w.customer.repository)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !change.IsNone(r.Old) && string(r.Old) != string(r.New) && string(r.Old) != "[]" {
			return pipeline.Usagef("%s has %s for the property %s already, and not %s", w.customer.slug(), clip(r.Old), r.What, clip(r.New)).
				Nextf("leave the flag out, or change the value after onboarding with `metapipe properties set`")
		}
		r.Customers = []pipeline.CustomerName{w.Of.Name}
		w.rows = append(w.rows, r)
	}
	return nil
}

func clip(v json.RawMessage) string { return pipeline.Clip(string(v), 80) }

func (w *planning) variables(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(w.Of.Variables)) {
		what := settings.VariableOf + name
		old, err := w.Customer.Setting(ctx, w.customer.slug(), what)
		if err != nil {
			return err
		}
		next, err := settings.Encode(w.Of.Variables[name])
		if err != nil {
			return err
		}
		if !change.IsNone(old) && string(old) != string(next) {
			return pipeline.Usagef("%s has the variable %s with the value %s, and not %s", w.customer.slug(), name, clip(old), clip(next)).
				Nextf("it may serve another manager: remove the variable, and run this again")
		}
		w.add(w.customer, what, old, next, "the workflow reads it")
	}
	return nil
}

func (w *planning) check(ctx context.Context) error {
	if !w.Of.RequiredCheck {
		return nil
	}
	status := pipeline.Request{Customer: w.Of.Name, SharedRepository: w.shared}.StatusContext(pipeline.Target{})
	what := settings.RulesetOf + CheckRuleset
	old, err := w.Customer.Setting(ctx, w.customer.slug(), what)
	if err != nil {
		return err
	}
	next := old
	if change.IsNone(old) {
		rule, err := json.Marshal(map[string]any{"type": "required_status_checks", "parameters": map[string]any{
			"required_status_checks": []map[string]string{{"context": status}}, "strict_required_status_checks_policy": false, "do_not_enforce_on_create": false}})
		if err != nil {
			return err
		}
		if next, err = settings.Encode(settings.Ruleset{Enforcement: "active", Include: []string{"~DEFAULT_BRANCH"}, Rules: []json.RawMessage{rule}, Bypass: json.RawMessage("[]")}); err != nil {
			return err
		}
	} else {
		w.notef("%s has the ruleset %q already, and it stays as it is", w.customer.slug(), CheckRuleset)
	}
	w.add(w.customer, what, old, next, "a merge waits for "+status)
	return nil
}

// set stands for a secret that is there: GitHub shows no values.
var set = json.RawMessage(`"set"`)

func (w *planning) secrets(ctx context.Context) error {
	if len(w.Of.Secrets) == 0 {
		return nil
	}
	names, err := w.Customer.SecretNames(ctx, w.customer.slug())
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(w.Of.Secrets)) {
		old := change.None
		if slices.Contains(names, name) {
			old = set
			w.notef("%s has the secret %s already, and it stays as it is: remove it first if it has to change", w.customer.slug(), name)
		}
		w.add(w.customer, secretOf+name, old, set, "the workflow sends requests with it")
	}
	return nil
}
