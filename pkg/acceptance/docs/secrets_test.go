package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// secretOf is a secret in an expression.
var secretOf = regexp.MustCompile(`\bsecrets\.([A-Z_]+)`)

// runsTool is a step that runs the tool, with the code of its providers and modules.
var runsTool = regexp.MustCompile(`\bmetapipe (plan|apply|drift scan) `)

// writeSecrets can write to customers' repositories.
var writeSecrets = []string{"SOURCE_REPOS_PAT", "METAPIPE_APP_PRIVATE_KEY", "MANAGER_REPO_PAT"}

// TestJobsSeeWhatSecuritySays holds the secrets and the permissions of each job of the shipped
// workflows against the table in docs/SECURITY.md. A secret that a step uses counts for the
// whole job: what one step leaves behind on a machine can look at those after it.
func TestJobsSeeWhatSecuritySays(t *testing.T) {
	t.Parallel()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "SECURITY.md")))(t))
	_, table, ok := strings.Cut(text, "\n### What each job sees\n")
	if !ok {
		t.Fatal("docs/SECURITY.md has no section \"What each job sees\"")
	}
	table, _, _ = strings.Cut(table, "\n#")
	documented := regexp.MustCompile("(?m)^\\| `.* \\|$").FindAllString(table, -1)
	jobs := shippedJobs(t)
	if len(jobs) < 10 {
		t.Fatalf("only %d jobs found", len(jobs))
	}
	var rows []string
	for _, j := range jobs {
		rows = append(rows, j.row())
	}
	if !slices.Equal(rows, documented) {
		t.Errorf("the workflows say\n%s\nand docs/SECURITY.md says\n%s", strings.Join(rows, "\n"), strings.Join(documented, "\n"))
	}
}

// TestToolSeesNoTokenThatWrites: a machine that runs the tool holds no token that can write to a
// customer's repository, and its own token only reads.
func TestToolSeesNoTokenThatWrites(t *testing.T) {
	t.Parallel()
	tools := 0
	for _, j := range shippedJobs(t) {
		if j.shared != nil {
			t.Errorf("%s: the secrets %v stand in an env of the whole workflow or job, which every step gets", j.name(), j.shared)
		}
		if !j.tool {
			continue
		}
		tools++
		for _, secret := range writeSecrets {
			if slices.Contains(j.secrets, secret) {
				t.Errorf("%s runs the tool and sees %s", j.name(), secret)
			}
		}
		for _, right := range j.rights {
			if strings.HasSuffix(right, ": write") && right != "id-token: write" {
				t.Errorf("%s runs the tool, and its own token has %s", j.name(), right)
			}
		}
	}
	if tools != 3 {
		t.Errorf("%d jobs run the tool, want plan, apply and the shard of a drift scan", tools)
	}
}

// shippedJob is a job of a shipped workflow that has a machine.
type shippedJob struct {
	file, id                string
	tool                    bool
	secrets, shared, rights []string // sorted
}

func (j shippedJob) name() string { return j.file + ", job " + j.id }

func (j shippedJob) row() string {
	tool := "no"
	if j.tool {
		tool = "yes"
	}
	return fmt.Sprintf("| `%s` | `%s` | %s | %s | %s |", j.file, j.id, tool, strings.Join(inCode(j.secrets), ", "), strings.Join(j.rights, ", "))
}

func inCode(names []string) (out []string) {
	for _, name := range names {
		out = append(out, "`"+name+"`")
	}
	return out
}

// shippedJobs are in the order of the files, and of the jobs in them.
func shippedJobs(t *testing.T) (jobs []shippedJob) {
	t.Helper()
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "workflows", "*", "*.yml")))(t) {
		var workflow struct {
			Env  yaml.Node
			Jobs yaml.Node
		}
		fixture.Check(t, yaml.Unmarshal(fixture.Must(os.ReadFile(file))(t), &workflow))
		for i := 0; i+1 < len(workflow.Jobs.Content); i += 2 {
			var job struct {
				Uses        string
				Env         yaml.Node
				Permissions map[string]string
				Steps       []struct{ Run string }
			}
			body := workflow.Jobs.Content[i+1]
			fixture.Check(t, body.Decode(&job))
			if job.Uses != "" {
				continue // no machine: those of the called workflow count
			}
			j := shippedJob{file: filepath.Base(file), id: workflow.Jobs.Content[i].Value, shared: secretsBelow(&workflow.Env, &job.Env)}
			j.secrets = secretsBelow(&workflow.Env, body)
			for right, level := range job.Permissions {
				j.rights = append(j.rights, right+": "+level)
			}
			slices.Sort(j.rights)
			for _, step := range job.Steps {
				j.tool = j.tool || runsTool.MatchString(step.Run+" ")
			}
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// secretsBelow are the secrets that the texts below these nodes name.
func secretsBelow(nodes ...*yaml.Node) (names []string) {
	for _, node := range nodes {
		for _, match := range secretOf.FindAllStringSubmatch(node.Value, -1) {
			names = append(names, match[1])
		}
		names = append(names, secretsBelow(node.Content...)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
