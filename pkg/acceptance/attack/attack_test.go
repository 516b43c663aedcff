package attack

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// attacksReport names the file to which TestAttacks writes one line for each
// attempt, and the count.
const attacksReport = "METAPIPE_ATTACKS"

// TestAttacks plays the attempts of testdata/attack, each in a world of its own:
// a manager, the attacker's customer shop, and the customer crm, who does nothing
// and must not be touched. The commands run as processes, and every attempt has to
// end in a verdict: it was refused or harmless, the right party was told why, and
// a ledger knows of it. testdata/attack/README.md has the commands.
func TestAttacks(t *testing.T) {
	t.Parallel()
	files := fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "testdata", "attack", "*.txtar")))(t)
	if len(files) == 0 {
		t.Fatal("there are no attempts")
	}
	var mu sync.Mutex
	lines, refused := map[string]string{}, 0
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(lines)) {
			fmt.Fprintln(&b, lines[name])
		}
		fmt.Fprintf(&b, "%d attempts, %d refused\n", len(lines), refused)
		t.Log("\n" + b.String())
		if file := os.Getenv(attacksReport); file != "" {
			fixture.Check(t, os.WriteFile(file, []byte(b.String()), 0o600))
		}
	})
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			title, script, archive := readAttempt(t, file)
			t.Cleanup(func() {
				mu.Lock()
				defer mu.Unlock()
				verdict := "refused  "
				if t.Failed() {
					verdict = "SUCCEEDED"
				} else if !t.Skipped() {
					refused++
				}
				lines[name] = fmt.Sprintf("%s  %-32s %s", verdict, name, title)
			})
			newAttempt(t, archive).play(script)
		})
	}
}

// readAttempt splits a file into its title, the lines of its script and its files.
func readAttempt(t *testing.T, file string) (title string, script []string, files map[string]string) {
	t.Helper()
	archive := fixture.Must(txtar.ParseFile(file))(t)
	script = strings.Split(string(archive.Comment), "\n")
	title, isComment := strings.CutPrefix(script[0], "# ")
	if !isComment {
		t.Fatalf("%s does not begin with a comment that says what is tried", file)
	}
	files = map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	return title, script, files
}

// attempt is a world with an attacker in it.
type attempt struct {
	*fixture.Setup
	temp   string            // for temporary files, with a trap
	files  map[string]string // of the script
	values map[string]string // $NAMES of the script
	victim *hub.Repo
	ahead  time.Duration // of the hub's clock
	clock  sync.Mutex

	next           map[string]hub.File // what the next push adds
	remove         []string            // what stood in its place
	run, victimRun fixture.WorkflowRun
	managerRun     fixture.WorkflowRun // of the present request
	ask            pipeline.DispatchRequest
	proof          map[string]any
	extra          map[string]any // fields that a request does not have
	sent           int
	inbox          string // the attacker's token, where the provider has an inbox
	r              *fixture.Request
	earlier        []approved
	with           []string                  // variables of the next jobs
	plans          map[string]fixture.Result // by environment
	receipts       map[string]string         // what was approved, by environment
	folders        map[string]string         // of plans that were kept, by a name
	secrets        []string
	laptop         string // the operator's folder
	before         string // the victim's repository
	module         *atomic.Pointer[[]byte]
	verdicts       int
}

// approved is a request with its plans and what was approved of them.
type approved struct {
	r        *fixture.Request
	plans    map[string]fixture.Result
	receipts map[string]string
}

// attackerFiles are the manager of an attempt.
var attackerFiles = map[string]string{
	"customers/crm.yml": "repository: northwind/crm\nrepository_id: 4712\n",
}

func newAttempt(t *testing.T, files map[string]string) *attempt {
	t.Helper()
	a := &attempt{files: files, values: map[string]string{"DOLLAR": "$", "NEWLINE": "\n", "ESCAPE": "\x1b", "DEEP": nestedJSON, "LARGE": strings.Repeat("a", 40<<10)}, next: map[string]hub.File{}, plans: map[string]fixture.Result{}, receipts: map[string]string{}, folders: map[string]string{}}
	manager := a.set("manager")
	for name, text := range attackerFiles {
		if _, own := manager[name]; !own {
			manager[name] = text
		}
	}
	a.Setup = fixture.NewAt(t, manager, func() time.Time {
		a.clock.Lock()
		defer a.clock.Unlock()
		return time.Now().Add(a.ahead)
	})
	fixture.Must(a.Hub.AddUser(hub.User{Login: "northwind", Type: hub.Organization}))(t)
	fixture.Must(a.Hub.AddUser(hub.User{Login: "nora", Type: hub.Person}))(t)
	fixture.Must(a.Hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(t)
	a.victim = fixture.Must(a.Hub.AddRepo("northwind", "crm", hub.RepoOptions{ID: 4712, Private: true}))(t)
	fixture.Check(t, a.victim.Grant("nora", hub.Write))
	fixture.Check(t, a.victim.Grant("metapipe-bot", hub.Write))
	fixture.Check(t, a.victim.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	sha := a.Commit(a.victim, "main", map[string]string{"infra/variables.yml": "name: crm\nenvironments:\n  staging: {}\n"})
	run := fixture.Must(a.victim.StartRun(hub.NewRun{Event: "push", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "nora", Status: "in_progress"}))(t)
	a.victimRun = fixture.WorkflowRun{Repo: a.victim, Run: run, SHA: sha, Ref: "refs/heads/main", PermitsIDToken: true}
	a.values["VICTIM_RUN"], a.values["VICTIM_COMMIT"] = fmt.Sprint(run.ID), sha
	a.before = a.seenIn(a.victim)
	return a
}

// set are the files of the script below a folder.
func (a *attempt) set(folder string) map[string]string {
	found := map[string]string{}
	for name, text := range a.files {
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok {
			found[path.Clean(rest)] = text
		}
	}
	return found
}

// play runs the lines of the script, and looks at what no one may have touched.
func (a *attempt) play(script []string) {
	a.T.Helper()
	for i, line := range script {
		words := a.words(line)
		if len(words) == 0 {
			continue
		}
		command, known := attackCommands[words[0]]
		if !known {
			command, known = gateCommands[words[0]]
		}
		if !known {
			command, known = destroyCommands[words[0]]
		}
		if !known {
			a.T.Fatalf("line %d: there is no command %q", i+1, words[0])
		}
		failed := a.T.Failed()
		command(a, words[1:])
		if a.T.Failed() && !failed {
			a.T.Fatalf("line %d: %s", i+1, line)
		}
	}
	if a.verdicts == 0 {
		a.T.Error("the attempt has no verdict")
	}
	a.wantBystanderUntouched()
}

// words splits a line at its blanks. Single quotes hold a word together, # begins
// a comment, and $NAME stands for a value.
func (a *attempt) words(line string) (words []string) {
	var word strings.Builder
	began, quoted := false, false
	end := func() {
		if began {
			words = append(words, os.Expand(word.String(), a.value))
		}
		word.Reset()
		began = false
	}
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, began = !quoted, true
		case r == ' ' && !quoted:
			end()
		case r == '#' && !began && !quoted:
			return words
		default:
			word.WriteRune(r)
			began = true
		}
	}
	if quoted {
		a.T.Fatalf("%s: a quote has no end", line)
	}
	end()
	return words
}

func (a *attempt) value(name string) string {
	value, known := a.values[name]
	if !known {
		a.T.Fatalf("nothing is called $%s", name)
	}
	return value
}

// job is a job of the manager or of a customer; the manager's can reach both
// customers.
func (a *attempt) job(run fixture.WorkflowRun) *fixture.Job {
	a.T.Helper()
	j := a.NewJob(run)
	if run.Repo == a.Manager {
		j.With("SOURCE_REPOS_PAT=" + a.sources(filepath.Base(j.Dir)))
	}
	return j
}

// sources is a token of a job for the repositories of both customers.
func (a *attempt) sources(job string) string {
	a.T.Helper()
	token := a.Token(hub.Token{Name: "sources of " + job, Kind: hub.FineGrained, User: "metapipe-bot",
		Repositories: a.Access(a.Customer.Slug(), a.victim.Slug()), Permissions: fixture.Permissions("contents actions", "statuses pull_requests issues deployments")})
	a.secrets = append(a.secrets, token)
	return token
}

// seenIn is all that members of a repository can see of it, without its own
// history.
func (a *attempt) seenIn(repo *hub.Repo) string {
	s := repo.Snapshot()
	return string(fixture.Must(json.Marshal([]any{s.Pulls, s.Issues, s.Statuses, s.Deployments, s.Environments}))(a.T))
}

// wantBystanderUntouched looks at the customer who did nothing, and for names of
// theirs where the attacker can read.
func (a *attempt) wantBystanderUntouched() {
	a.T.Helper()
	if after := a.seenIn(a.victim); after != a.before {
		a.T.Errorf("the victim's repository has changed:\n%s\n%s", a.before, after)
	}
	for _, env := range []string{"staging", "production"} {
		if state := a.State("crm/" + env); state != a.values["VICTIM_STATE"] {
			a.T.Errorf("the victim's state of %s has changed:\n%s", env, state)
		}
	}
	seen := a.seenIn(a.Customer)
	for _, name := range []string{"northwind", "crm", "nora"} {
		if strings.Contains(seen, name) {
			a.T.Errorf("the attacker can read %q in their own repository:\n%s", name, seen)
		}
	}
	everything := seen
	for _, text := range a.Printed() {
		everything += "\n" + fixture.Unmasked(text)
	}
	fixture.Check(a.T, filepath.WalkDir(a.Store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(filepath.Base(at), "terraform.tfstate") {
			return err
		}
		b, err := os.ReadFile(at)
		everything += "\n" + string(b)
		return err
	}))
	for _, secret := range append(a.secrets, a.Key) {
		if at := strings.Index(everything, secret); at >= 0 {
			a.T.Errorf("the secret %q got out: %s", secret, everything[max(0, at-200):min(len(everything), at+200)])
		}
	}
}
